"""Which events readers have called wrong: for every query that scores or shows events."""

# Happenings (the ids of the events that stand for them) whose latest word by the end of the day ``:until`` is "wrong". The word may have been given on an
# event that has since become another's duplicate.
WRONG_EVENTS = """
    SELECT coalesce(m.duplicate_of, m.event_id) AS event_id FROM event_feedback w JOIN signal_events m ON m.event_id = w.event_id
    WHERE w.verdict = 'wrong' AND w.given_on <= substr(:until, 1, 10) AND NOT EXISTS (
        SELECT 1 FROM event_feedback l WHERE l.event_id = w.event_id AND l.sequence > w.sequence AND l.given_on <= substr(:until, 1, 10))
"""
