"""The facts that a display shows and the words it uses, without a front end."""
