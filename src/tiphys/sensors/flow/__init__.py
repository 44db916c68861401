"""
Flow control: what stands between a decision and its action (extensions of Tiphys).

Each mechanism is a module of its own, a state machine without clock or bus: it is told the time and
what came, and answers what passes, what is dropped and what waits.  :mod:`.control` carries the
answers out: whatever waits lies in the sensor's bucket before its message is acknowledged.
"""
