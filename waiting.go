package webconferencing

import "time"

// walkInWait is how long somebody waits alone in a call between users that he
// walked into and that rang nobody.
const walkInWait = 5 * time.Minute

// waitsAlone tells whether a run between users has nobody inside who could
// talk to somebody, and nobody on the way.
func (c *Call) waitsAlone() bool {
	return c.State == StateStarted && !c.IsGroup() && c.RingUntil.IsZero() && !c.ringsLater() && c.present() < 2
}

// aloneFor is how long that may go on.
func (c *Call) aloneFor(l limits) time.Duration {
	if c.Rings > 0 {
		return c.ringFor(l)
	}
	return walkInWait
}

// boundWaiting gives a call in which somebody waits alone an end.
func (t *transition) boundWaiting() {
	c := t.call
	switch {
	case !c.waitsAlone():
		c.AloneUntil = time.Time{}
	case c.AloneUntil.IsZero():
		c.AloneUntil = t.now.Add(c.aloneFor(t.limits))
	}
}

// endAlone ends a call for somebody who waited in vain.
func endAlone(t *transition) {
	t.evidence = "one person waited alone for " + t.call.aloneFor(t.limits).String()
	if t.call.answered() {
		t.stop(ReasonEnded)
		return
	}
	t.stop(ReasonMissed)
}
