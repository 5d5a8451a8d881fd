"""FormData: the mapping, and both ways it travels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dobook.errors import PlatformTypeError
from dobook.web import Blob, File, FormData, Request, Response
from dobook.web.formdata import encode_multipart, parse_form_data, parse_mime

MULTIPART = "multipart/form-data; boundary=B"
# A field's name is never empty when read, and carriage returns do not survive in headers.
names = st.text(
    st.characters(exclude_characters='"\n\r\\', exclude_categories=["C", "Z"]), min_size=1
)
texts = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_mapping():
    form = FormData({"a": "1", "f": Blob("data", "text/x")})
    form.append("a", "2")
    assert (form["a"], form.get_all("a"), "a" in form, form["zz"]) == ("1", ["1", "2"], True, None)
    assert (list(form), len(form)) == (["a", "f", "a"], 3)
    assert (form["f"].name, form["f"].content_type) == ("f", "text/x")
    form["a"] = "3"
    assert next(iter(form.items())) == ("a", "3")
    assert form.get_all("a") == ["3"]
    form["new"] = "4"
    del form["f"]
    assert list(form.keys()) == ["a", "new"]
    assert list(form.values()) == ["3", "4"]
    assert form.has("new")
    assert repr(FormData(form)) == "FormData([('a', '3'), ('new', '4')])"


def test_a_file_keeps_its_name_unless_another_is_given():
    form = FormData()
    form.append("a", File("x", "own.txt"))
    form.append("b", File("x", "own.txt"), "other.txt")
    assert [form[k].name for k in "ab"] == ["own.txt", "other.txt"]


def test_wrong_types_are_refused_with_the_texts_of_the_sdk():
    with pytest.raises(TypeError, match="Expected form_data to be a dict or an instance of"):
        FormData("text")
    with pytest.raises(TypeError, match=r"Expected single item in arguments to FormData.__setit"):
        FormData()["a"] = ["x"]


def test_what_multipart_looks_like():
    form = FormData({'q"u\\o\nte': "x"})
    form.append("f", Blob("data"), "n.bin")
    assert encode_multipart(form, "B") == (
        b"--B\r\n"
        b'Content-Disposition: form-data; name="q%22u\\\\o%0Ate"\r\n\r\nx\r\n'
        b"--B\r\n"
        b'Content-Disposition: form-data; name="f"; filename="n.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\ndata\r\n"
        b"--B--",
        "B",
    )


def test_the_same_form_always_travels_as_the_same_bytes():
    assert encode_multipart(FormData({"a": "1"})) == encode_multipart(FormData({"a": "1"}))
    assert encode_multipart(FormData({"a": "1"}))[1] != encode_multipart(FormData({"a": "2"}))[1]


@pytest.mark.parametrize("boundary", ["", "x" * 71])
def test_a_boundary_has_1_to_70_characters(boundary):
    with pytest.raises(PlatformTypeError, match=r"must be in the range \[1, 70\]"):
        encode_multipart(FormData(), boundary)


@given(st.lists(st.tuples(names, texts | st.tuples(names, st.binary())), max_size=5))
async def test_a_form_comes_back_as_it_was_sent(fields):
    form = FormData()
    for name, value in fields:
        if isinstance(value, tuple):
            form.append(name, Blob(value[1], "a/b"), value[0])
        else:
            form.append(name, value)
    request = Request("http://x/", method="POST", body=form)
    back = await request.form_data()
    assert [
        (name, (v.name, v.content_type, await v.bytes()) if isinstance(v, File) else v)
        for name, v in back.items()
    ] == [
        (name, (value[0], "a/b", value[1]) if isinstance(value, tuple) else value)
        for name, value in fields
    ]


async def test_an_urlencoded_body_is_a_form_too():
    response = Response(
        "a=1&b=x+y&a=%32", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    form = await response.formData()
    assert list(form.items()) == [("a", "1"), ("b", "x y"), ("a", "2")]


def test_line_feeds_alone_do_between_parts():
    body = b'--B\nContent-Disposition: form-data; name="a"\n\n1\n--B--'
    assert parse_form_data(body, MULTIPART)["a"] == "1"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"", "text/plain", "Unrecognized Content-Type header value. FormData can only parse the "
         "following MIME types: multipart/form-data, application/x-www-form-urlencoded"),
        (b"", None, "Parsing a Body as FormData requires a Content-Type header."),
        (b"", "multipart/form-data", "No boundary string in Content-Type header. "),
        (b"", MULTIPART, "No initial boundary string (or you have a truncated message)."),
        (b"--B", MULTIPART, "No initial boundary string (or you have a truncated message)."),
        (b"--Bx", MULTIPART, "Boundary string was not succeeded by CRLF, LF, or '--'."),
        (b"--B\r\nno end", MULTIPART, "No multipart message header termination found."),
        (b"--B\r\nbad\r\n\r\n", MULTIPART, "FormData part had invalid headers."),
        (b"--B\r\nA: b\r\n\r\n", MULTIPART,
         "No valid Content-Disposition header found in FormData part."),
        (b"--B\r\nContent-Disposition: \r\n\r\n", MULTIPART,
         "Invalid Content-Disposition header found in FormData part."),
        (b'--B\r\nContent-Disposition: attachment; name="a"\r\n\r\n', MULTIPART,
         'Content-Disposition header for FormData part must have the value "form-data", '
         'possibly followed by parameters. Got: "attachment"'),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\n", MULTIPART,
         "Content-Disposition header in FormData part is missing a name."),
        (b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', MULTIPART,
         "No subsequent boundary string after multipart message."),
        (b"", "application/x-www-form-urlencoded;charset=latin1",
         "Non-utf-8 application/x-www-form-urlencoded body."),
    ],
)  # fmt: skip
def test_broken_forms_are_refused_with_the_platforms_texts(body, content_type, message):
    with pytest.raises(PlatformTypeError) as caught:
        parse_form_data(body, content_type)
    assert str(caught.value).startswith(message)


def test_a_name_must_not_end_with_a_backslash():
    with pytest.raises(PlatformTypeError, match="Name or filename can't end with backslash"):
        encode_multipart(FormData({"a\\": "1"}))


@pytest.mark.parametrize(
    ("text", "mime"),
    [
        ("Text/HTML;Charset=utf-8", ("text/html", {"charset": "utf-8"})),
        (' a/b ; x="1;\\"2" ;y=3;x=4', ("a/b", {"x": '1;"2', "y": "3"})),
        ("a/b;;=;z", ("a/b", {})),
        ("nonsense", ("", {})),
    ],
)
def test_mime_types(text, mime):
    assert parse_mime(text) == mime
