"""Errors with which the Messages API answers instead of a stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.stub.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Fails:
    """Answers with an error of the API."""

    status: int
    kind: str
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def __call__(self, exchange: Exchange) -> None:
        exchange.fail(self.status, self.kind, self.sentence, self.headers)


def rate_limited(retry_after: float | None = 1) -> Fails:
    """429, with the header `retry-after` where seconds are given."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return Fails(429, "rate_limit_error", "This request would exceed your rate limit.", headers)


def overloaded() -> Fails:
    """529: too many ask."""
    return Fails(529, "overloaded_error", "Overloaded")


def server_error() -> Fails:
    """500: a fault of the API's own."""
    return Fails(500, "api_error", "Internal server error")


def unavailable() -> Fails:
    """503: something before the API is down."""
    return Fails(503, "api_error", "Service unavailable")


def not_signed_in() -> Fails:
    """401: the key is not one."""
    return Fails(401, "authentication_error", "invalid x-api-key")


def forbidden() -> Fails:
    """403: the key may not do this."""
    return Fails(403, "permission_error", "Your API key does not have permission to use the specified resource.")


def no_credit() -> Fails:
    """400: nothing is left to pay with."""
    sentence = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
    return Fails(400, "invalid_request_error", sentence)


def unknown_model(model: str = "claude-none-0") -> Fails:
    """404: there is no such model."""
    return Fails(404, "not_found_error", f"model: {model}")


def prompt_too_long() -> Fails:
    """400: the conversation does not fit into the model."""
    return Fails(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum")


def too_large() -> Fails:
    """413: the request has too many bytes."""
    return Fails(413, "request_too_large", "Request exceeds the maximum size")


def bad_request(sentence: str = "tools.0.custom.input_schema: JSON schema is invalid.") -> Fails:
    """400: the request is not as the API wants it."""
    return Fails(400, "invalid_request_error", sentence)
