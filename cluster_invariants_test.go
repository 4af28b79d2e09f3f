package webconferencing_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
)

const (
	// A seat is gone 30 s after the last sign of life of its device, or of the
	// node that had seen the device last; and a second of slack.
	ghostAfter = 31 * time.Second
	// slack is how late a deadline may be acted upon: a tick and a retry.
	slack = 3 * time.Second
)

// checkRecords looks at every call as it is stored.
func (c *cluster) checkRecords() {
	groups := make(map[wc.Ref]wc.CallID)
	for _, n := range clusterCalls {
		call := c.record(n.ID)
		if call == nil || !call.Removed.IsZero() {
			continue
		}
		if call.State != wc.StateStarted {
			if len(call.Seats) > 0 {
				c.fault("%s is %q and has seats: %+v", call.ID, call.State, call.Seats)
			}
			for _, p := range call.Participants {
				if p.Ring == wc.RingRinging {
					c.fault("%s is %q and rings %s", call.ID, call.State, p.ID)
				}
			}
			continue
		}
		if other, taken := groups[call.Owner]; taken && call.IsGroup() {
			c.fault("%v has two live calls, %s and %s", call.Owner, other, call.ID)
		}
		groups[call.Owner] = call.ID
		c.checkLive(call)
	}
}

func (c *cluster) checkLive(call *wc.Call) {
	since, up := c.upSince()
	if !up {
		return // nobody is there to act
	}
	now := time.Now()
	if len(call.Seats) == 0 {
		until := call.RingUntil
		if until.IsZero() || now.After(until.Add(slack)) && now.Sub(since) > slack {
			c.fault("%s is started, nobody is inside and nobody is rung (until %v)", call.ID, until)
		}
	}
	for _, s := range call.Seats {
		h := c.seats[s.ID]
		switch {
		case h == nil:
			c.fault("%s has a seat that nobody was given: %+v", call.ID, s)
		case h.ref.Epoch != call.Epoch:
			c.fault("%s has a seat of an earlier run: %+v", call.ID, s)
		case now.Sub(h.renewed) > ghostAfter && now.Sub(since) > ghostAfter && now.Sub(c.crashed) > ghostAfter:
			c.fault("%s has a ghost: %v, last seen %v ago", call.ID, h.dev.by, now.Sub(h.renewed))
		}
	}
}

// upSince is when the longest running node started.
func (c *cluster) upSince() (time.Time, bool) {
	var since time.Time
	for _, n := range c.up() {
		if since.IsZero() || n.since.Before(since) {
			since = n.since
		}
	}
	return since, !since.IsZero()
}

// checkLoss asks the journal why a device that renewed lost its seat.
func (c *cluster) checkLoss(h *held) {
	if time.Since(h.renewed) > 10*time.Second {
		return // it could not renew for a while
	}
	for _, e := range c.journal(wc.CallTopic(h.ref.Call)) {
		if e.Epoch == h.ref.Epoch && e.Part == h.dev.by.User && e.Client == h.dev.by.Client && e.Time.After(h.renewed) &&
			(e.Cause == wc.CauseExpired || e.Cause == wc.CauseNodeLost) {
			c.fault("%v renewed %v before and was removed: %+v", h.dev.by, e.Time.Sub(h.renewed), e)
		}
	}
}

// journal reads a topic from its beginning.
func (c *cluster) journal(topic wc.Topic) []wc.Event {
	var all []wc.Event
	var after wc.Position
	for {
		page, err := c.store.Events(context.Background(), topic, after, 1000)
		if err != nil {
			c.fault("read journal: %w", err)
			return nil
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1].Position
	}
}

// quiet lets everybody vanish and checks what is left when all has settled.
func (c *cluster) quiet() {
	for i, n := range c.nodes {
		if n == nil {
			c.boot(i)
		}
	}
	for _, d := range c.devices {
		d.alive = false
	}
	time.Sleep(80 * time.Second)
	synctest.Wait()
	for _, n := range clusterCalls {
		if call := c.record(n.ID); call != nil && call.State == wc.StateStarted {
			c.fault("%s goes on without anybody: %+v", n.ID, call)
		}
	}
	c.checkRecords()
	for i, n := range c.nodes {
		if s := n.Stats(); s.Seats != 0 {
			c.fault("node %d keeps %d leases of nobody", i, s.Seats)
		}
	}
	c.checkVersions()
	c.checkViews()
	c.checkHistories()
}

// checkVersions: each version of a call has one group of events in the
// journal, and versions grow by one.
func (c *cluster) checkVersions() {
	last := make(map[wc.CallID]wc.Event)
	for _, e := range c.journal(wc.AllTopics) {
		before, seen := last[e.CallID]
		switch {
		case !seen && e.Version != 1:
			c.fault("the journal of %s begins with version %d", e.CallID, e.Version)
		case seen && e.Version != before.Version && e.Version != before.Version+1:
			c.fault("the journal of %s goes from version %d to %d", e.CallID, before.Version, e.Version)
		case e.Epoch < before.Epoch:
			c.fault("the journal of %s goes back from run %d to %d", e.CallID, before.Epoch, e.Epoch)
		}
		last[e.CallID] = e
	}
}

// checkViews: each device was told everything of its user once and in order.
func (c *cluster) checkViews() {
	for _, d := range c.devices {
		var want []wc.Position
		for _, e := range c.journal(wc.UserTopic(d.by.User)) {
			want = append(want, e.Position)
		}
		if !slices.Equal(d.got, want) {
			c.fault("%v was told %v, the journal has %v", d.by, d.got, want)
		}
	}
}

// checkHistories: one entry for each person and run, and both sides of a call
// between two agree.
func (c *cluster) checkHistories() {
	outcomes := make(map[string]map[wc.UserID]wc.HistoryEntry)
	for _, user := range []wc.UserID{"mary", "john", "james", "jack"} {
		list, err := c.nodes[0].History(context.Background(), wc.Actor{User: user}, wc.HistoryQuery{Limit: 200})
		if err != nil {
			c.fault("history of %s: %w", user, err)
		}
		for _, e := range list {
			run := fmt.Sprint(e.Call, "/", e.Epoch)
			if outcomes[run] == nil {
				outcomes[run] = make(map[wc.UserID]wc.HistoryEntry)
			}
			if first, twice := outcomes[run][user]; twice {
				c.fault("%s has two entries for %s: %+v and %+v", user, run, first, e)
			}
			outcomes[run][user] = e
		}
	}
	for _, e := range c.journal(wc.AllTopics) {
		if e.Cause == wc.CauseRemoved { // what it came to for him was settled then
			delete(outcomes, fmt.Sprint(e.CallID, "/", e.Epoch))
		}
	}
	for run, sides := range outcomes {
		if len(sides) == 2 {
			c.checkSides(run, sides)
		}
	}
}

// answerOf are the outcomes that the one who called can have with an outcome
// of the one called.
var answerOf = map[wc.Outcome][]wc.Outcome{
	wc.OutcomeAnswered: {wc.OutcomeAnswered},
	wc.OutcomeDeclined: {wc.OutcomeDeclined},
	wc.OutcomeBusy:     {wc.OutcomeBusy},
	wc.OutcomeMissed:   {wc.OutcomeNoAnswer, wc.OutcomeCancelled, wc.OutcomeFailed},
}

func (c *cluster) checkSides(run string, sides map[wc.UserID]wc.HistoryEntry) {
	var caller, called *wc.HistoryEntry
	for _, e := range sides {
		if e.Owner.Type != wc.OwnerUser {
			return
		}
		if e.Outgoing {
			caller = &e
		} else {
			called = &e
		}
	}
	if caller == nil || called == nil {
		c.fault("%s has no two sides: %+v", run, sides)
		return
	}
	if !slices.Contains(answerOf[called.Outcome], caller.Outcome) {
		c.fault("%s was %q for the caller and %q for the one called", run, caller.Outcome, called.Outcome)
	}
}

// story tells the last events of the journal, for whoever looks for a fault.
func (c *cluster) story() string {
	var b strings.Builder
	events := c.journal(wc.AllTopics)
	for _, e := range events[max(0, len(events)-60):] {
		fmt.Fprintf(&b, "%s %s/%d v%d %s by %s client %s cause %s node %s\n", e.Time.Format("04:05.000"), e.CallID, e.Epoch%1000, e.Version,
			short(&e), e.Actor, e.Client, e.Cause, e.Node)
	}
	return b.String()
}
