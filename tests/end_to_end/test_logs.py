"""What a desk that serves logs, in its file and on the terminal."""

import json
from signal import SIGTERM

from tests.end_to_end.places import Place, until


def test_a_desk_that_serves_logs_json_in_its_file_and_on_the_terminal_without_secrets(sample: Place) -> None:
    sample.settings('[log]\nformat = "json"\n')
    sample.environment["ANTHROPIC_AUTH_TOKEN"] = "bars of AAPL in 2011"  # stands in what is logged
    sample.change("UPDATE bars SET columns = x'00' WHERE symbol = 'AAPL' AND year = 2011")  # its facts cannot be had
    program, log = sample.serve(), sample.home / "desk.log"

    once = sample.start("once", "--again")
    until(lambda: program.ended or log.read_text().count("\n") > 0, "the log")
    program.send(SIGTERM)

    ended = program.wait()
    once.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    failed = sample.rows("SELECT correlation_id FROM tasks WHERE type = 'facts' AND state <> 'done'")
    assert {(line["level"], line["logger"], line["correlation_id"]) for line in lines} == {
        ("error", "troupe.workers", about) for (about,) in failed
    }
    assert all("[secret]" in line["message"] and "AAPL" not in line["message"] for line in lines)
    assert [json.loads(line) for line in ended.lines] == lines
