"""The two forms of the log, and what neither shows."""

import json
import logging
from datetime import datetime

import pytest

from blox_worker import job_log, logs
from blox_worker.logs import LinesForPeople, LinesForPrograms

TEXT = 'postgresql://u:ge/h"eim@h/db is away, "password=geheim", see redis://:geheim@h'


def record(message, *arguments, error=None, **extra):
    made = logging.getLogger("blox_worker.some").makeRecord(
        "blox_worker.some",
        logging.WARNING,
        "file.py",
        7,
        message,
        arguments,
        None if error is None else (type(error), error, error.__traceback__),
        extra=extra,
    )
    return made


def raised(text):
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_json_has_time_level_logger_message_and_what_else_is_known():
    line = LinesForPrograms().format(record("job %s", 7, event="taken", run=1, worker="gpu0@h"))
    told = json.loads(line)
    assert datetime.fromisoformat(told.pop("time")).utcoffset().total_seconds() == 0
    assert told == {
        "level": "WARNING",
        "logger": "blox_worker.some",
        "message": "job 7",
        "event": "taken",
        "run": 1,
        "worker": "gpu0@h",
    }


@pytest.mark.parametrize("form", [LinesForPeople(), LinesForPrograms()])
def test_no_password_is_in_a_message_a_field_or_a_traceback(form):
    line = form.format(record("away: %s", TEXT, error=raised(TEXT), event=TEXT))
    for part in ("ge/h", "eim", "geheim"):
        assert part not in line
    assert "postgresql://u:***@h/db" in line
    assert "Traceback" in line


def test_json_stays_json_where_a_password_is_hidden():
    line = LinesForPrograms().format(record(TEXT, error=raised(TEXT), event=TEXT, worker="gpu0@h"))
    told = json.loads(line)
    assert told["worker"] == "gpu0@h"
    assert told["event"] == told["message"]
    assert "\n" in told["exc_info"]
    assert "\n" not in line


def test_text_is_a_line_for_people():
    line = LinesForPeople().format(record("job %s is gone", 7))
    assert line.endswith(" WARNING blox_worker.some: job 7 is gone")


def test_the_logger_of_jobs_has_the_name_by_which_it_is_quietened():
    assert job_log.logger.name == logs._OF_JOBS
