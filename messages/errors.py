"""The one base of our errors."""


class TroupeError(Exception):
    """Something a person can mend: the message names the thing, the place and what to do, in one line."""


def sentence(error: BaseException) -> str:
    """What to show of an error: ours speak for themselves, others need their type beside it."""
    return str(error) if isinstance(error, TroupeError) else repr(error)
