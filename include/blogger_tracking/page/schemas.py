"""Bodies of the page's requests and responses. Times are UTC in ISO 8601; a null number is unknown."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class PageModel(BaseModel):
    """A part of a response, made from an object with attributes of the same names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class Person(PageModel):
    """Rights of the person who sends the request."""

    may_act: bool
