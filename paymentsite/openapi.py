"""The OpenAPI schema as REST framework's views tell it, with a title for each operation."""

from drf_spectacular.openapi import AutoSchema


class TitledAutoSchema(AutoSchema):
    """An operation's title is the first sentence of its description, so that a list of them can be read."""

    def get_summary(self) -> str | None:
        """The title that `extend_schema` gives, else the first sentence of the description."""
        return super().get_summary() or self.get_description().partition(". ")[0].rstrip(".")
