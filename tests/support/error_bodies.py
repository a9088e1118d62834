"""Bodies of a platform's errors for properties: any bytes, and JSON with any text where the clients look for words."""

from __future__ import annotations

from hypothesis import strategies as st

# A gateway's page in UTF-16 has NUL characters, and the escapes of JSON can write a lone surrogate.
_TEXTS = st.text(st.sampled_from("\x00\ud800") | st.characters(), max_size=10)

_JSON_ERRORS = st.one_of(
    st.builds(lambda text: {"exc_type": text}, _TEXTS),
    st.builds(lambda text: {"detail": text}, _TEXTS),
    st.builds(lambda text: {"statusCode": text, "statusMsg": text}, _TEXTS),
    st.builds(
        lambda reason, message: {"error": {"errors": [{"reason": reason}], "message": message}},
        st.sampled_from(["forbidden", "quotaExceeded", "keyInvalid", ""]).flatmap(
            lambda known: _TEXTS.map(lambda text: known + text)
        ),
        _TEXTS,
    ),
)

ERROR_BODIES = st.one_of(
    st.binary(max_size=60), _TEXTS.map(lambda text: text.encode("utf-16", "replace")), _JSON_ERRORS
)
"""Bodies as `Scripted.body` takes them."""
