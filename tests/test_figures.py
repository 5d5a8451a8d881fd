"""The architecture's page states the structure's figures as they are."""

from tests import figures


def test_the_page_states_the_figures_as_they_are():
    assert figures.stated() == figures.table()


def test_no_knot_of_modules_is_larger_than_eight():
    assert max(figures.knots(), default=0) <= 8
