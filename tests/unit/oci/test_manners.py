"""How soon a host is asked again, and how often."""

import pytest

from argocd_provenance.oci.manners import ATTEMPTS, Manners, retry_after

DATE = {"date": "Tue, 02 Jun 2026 10:00:00 GMT"}


def later(value: str, **headers: str) -> float:
    """The seconds that this `Retry-After` asks for; our clock says that it is the epoch."""
    return retry_after({"retry-after": value, **headers}, lambda: 0.0)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("3", 3.0),
            (" 120 ", 120.0),
            ("0", 0.0),
            ("Tue, 02 Jun 2026 10:00:07 GMT", 7.0),
            ("Tuesday, 02-Jun-26 10:00:07 GMT", 7.0),
            ("Tue Jun  2 10:00:07 2026", 7.0),
            ("Tue, 02 Jun 2026 09:00:00 GMT", 0.0),
            ("", 0.0),
            ("soon", 0.0),
            ("-5", 0.0),
            ("1e9", 0.0),
            ("\uff19", 0.0),
            ("9" * 400, 10.0**9),
            ("Tue, 02 Jun 99999999999999 10:00:07 GMT", 0.0),
        ],
    )
    def test_seconds_and_dates_are_understood(self, value: str, seconds: float) -> None:
        """RFC 9110, 10.2.3; all three forms of a date, held against the answer's own."""
        assert later(value, **DATE) == seconds

    def test_our_clock_is_asked_where_the_answer_has_no_date(self) -> None:
        """Better than nothing."""
        assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, lambda: 50.0) == 10.0


class TestPatience:
    def test_pauses_grow_and_differ(self) -> None:
        """Doubled each time, and never the same for two threads."""
        low, high = Manners(chance=lambda: 0.0), Manners(chance=lambda: 1.0)

        assert [low.pause(attempt) for attempt in range(3)] == [0.1, 0.2, 0.4]
        assert [high.pause(attempt) for attempt in range(3)] == pytest.approx([0.3, 0.6, 1.2])
        assert 7.0 <= low.pause(0, 7.0) < high.pause(0, 7.0) < 8.0

    def test_who_wants_peace_gets_it_from_everybody(self) -> None:
        """And only who wants it."""
        now = [100.0]
        manners = Manners(lambda: now[0])
        manners.later("https://a", 5.0)
        manners.later("https://a", 2.0)

        assert (manners.wait("https://a"), manners.wait("https://b")) == (5.0, 0.0)
        now[0] += 6
        assert manners.wait("https://a") == 0.0

    def test_who_is_down_is_tried_once_until_it_answers(self) -> None:
        """One dead host must not cost its patience for each image."""
        manners = Manners()
        manners.silent("https://a")

        assert (manners.attempts("https://a"), manners.attempts("https://b")) == (1, ATTEMPTS)
        manners.answered("https://a")
        assert manners.attempts("https://a") == ATTEMPTS
