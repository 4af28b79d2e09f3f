package webconferencing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The history has one entry for each person and run of a call, written in the
// commit that ends the run. Entries are values whose keys put the newest first;
// they vanish by themselves when their time is over.

const (
	historyPrefix = "history/"
	historyOthers = 20 // of the other parties are named
	historyPage   = 200
	maxMissed     = 99 // more unseen calls are not counted
	maxNames      = 500
)

// Outcome is what a call came to for one person.
type Outcome string

// The outcomes.
const (
	OutcomeAnswered  Outcome = "answered"  // was inside together with others, or at all
	OutcomeMissed    Outcome = "missed"    // was rung and did not answer
	OutcomeDeclined  Outcome = "declined"  // by oneself, or by the one called
	OutcomeBusy      Outcome = "busy"      // in another call
	OutcomeCancelled Outcome = "cancelled" // called and hung up before an answer
	OutcomeNoAnswer  Outcome = "no_answer" // called and nobody answered
	OutcomeFailed    Outcome = "failed"    // called and vanished before an answer
)

// HistoryEntry is one call as one person remembers it.
type HistoryEntry struct {
	// Cursor names the entry; the entries of a user are listed from newest to
	// oldest, which is the order of their cursors.
	Cursor   string        `json:"-"`
	Call     CallID        `json:"call"`
	Epoch    uint64        `json:"epoch"`
	Owner    Ref           `json:"owner"`
	Title    string        `json:"title,omitempty"`
	Provider string        `json:"provider"`
	Outgoing bool          `json:"outgoing,omitempty"` // the person started it
	Outcome  Outcome       `json:"outcome"`
	Reason   Reason        `json:"reason,omitempty"` // why the run ended
	Started  time.Time     `json:"started"`
	Ended    time.Time     `json:"ended"`
	Spent    time.Duration `json:"spent,omitempty"`   // inside
	Devices  int           `json:"devices,omitempty"` // that joined
	// Others are the first of the other parties, OthersTotal is how many
	// there were.
	Others      []UserID `json:"others,omitempty"`
	OthersTotal int      `json:"othersTotal,omitempty"`
	// Unseen tells that the call was missed and not seen since.
	Unseen bool `json:"-"`
}

// remember writes a participant's entry for the run that ends, if he had a
// part in it.
func (t *transition) remember(p *Participant) {
	c := t.call
	if p.Kind == KindExternal || p.ID != c.Starter && p.State == PartNone && p.Ring == RingNone {
		return
	}
	e := HistoryEntry{
		Call: c.ID, Epoch: c.Epoch, Owner: c.Owner, Title: c.Title, Provider: c.Provider,
		Outgoing: p.ID == c.Starter, Outcome: c.outcome(p), Reason: c.Reason,
		Started: c.Started, Ended: t.now, Spent: p.Spent, Devices: p.Devices,
		OthersTotal: len(c.Participants) - 1,
	}
	for _, o := range c.Participants {
		if o.ID != p.ID && len(e.Others) < historyOthers {
			e.Others = append(e.Others, o.ID)
		}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return // cannot happen: the entry is made of plain values
	}
	t.values = append(t.values, ValueChange{
		Key: historyKey(p.ID, c), Expect: AnyRevision, Data: data, Expires: t.now.Add(t.limits.history),
	})
}

// dropOut closes the part that a participant who is taken out had in the run.
func (t *transition) dropOut(p *Participant) {
	if p.State == PartJoined {
		p.State = PartLeft
		p.goOut(t.now)
	}
	if p.Ring == RingRinging {
		p.ringCameTo(RingCancelled)
		t.endLegs(p, RingCancelled, "")
	}
	t.remember(p)
}

// rememberDropped does so for those who are not among the next participants.
func (t *transition) rememberDropped(next []Participant) {
	c := t.call
	for i := range c.Participants {
		p := &c.Participants[i]
		if c.State == StateStarted && !slices.ContainsFunc(next, func(n Participant) bool { return n.ID == p.ID }) {
			t.dropOut(p)
		}
	}
}

// outcome is what the run came to for a participant.
func (c *Call) outcome(p *Participant) Outcome {
	switch {
	case p.ID == c.Starter:
		return c.startersOutcome()
	case p.State != PartNone:
		return OutcomeAnswered
	case p.Ring == RingDeclined:
		return OutcomeDeclined
	case p.Ring == RingBusy:
		return OutcomeBusy
	}
	return OutcomeMissed
}

func (c *Call) startersOutcome() Outcome {
	refused, ok := c.refusedByAll()
	switch {
	case c.answered():
		return OutcomeAnswered
	case ok:
		return refused
	case c.Reason == ReasonDeclined:
		return OutcomeDeclined
	case c.Reason == ReasonBusy:
		return OutcomeBusy
	case c.Reason == ReasonMissed:
		return OutcomeNoAnswer
	case c.Reason == ReasonExpired:
		return OutcomeFailed
	}
	return OutcomeCancelled
}

// refusedByAll tells whether, in a call between users, everybody who was called
// turned it down, whatever ended the run in the end.
func (c *Call) refusedByAll() (Outcome, bool) {
	if c.IsGroup() {
		return "", false
	}
	outcome, ok := OutcomeBusy, false
	for _, p := range c.Participants {
		switch {
		case p.ID == c.Starter || p.Ring == RingNone:
		case p.Ring == RingBusy:
			ok = true
		case p.Ring == RingDeclined:
			outcome, ok = OutcomeDeclined, true
		default:
			return "", false
		}
	}
	return outcome, ok
}

// historyKey makes later runs sort first. Somebody who is taken out of a run
// and comes back has the same key again, so that the last entry of a run is
// its only one.
func historyKey(user UserID, c *Call) string {
	return fmt.Sprintf("%s%s/%s/%016x/%s", historyPrefix, user, backwards(c.Started), ^c.Epoch, c.ID)
}

func backwards(t time.Time) string { return fmt.Sprintf("%016x", ^uint64(t.UnixMilli())) }

// HistoryQuery selects entries of the acting user's history.
type HistoryQuery struct {
	// After is the cursor behind which to go on; "" begins with the newest.
	After string
	// Limit is the largest number of entries, up to 200. Defaults to 50.
	Limit int
	// Outcome selects entries with this outcome. Defaults to all.
	Outcome Outcome
	// With selects calls with this user. Defaults to all.
	With UserID
	// Text selects calls whose title, or the name or id of one of whose other
	// parties, has this in it, in any case; up to 255 characters. Names are
	// those of today. Defaults to all.
	Text string
}

func (q *HistoryQuery) selects(e *HistoryEntry) bool {
	return (q.Outcome == "" || e.Outcome == q.Outcome) &&
		(q.With == "" || slices.Contains(e.Others, q.With))
}

// nameSearch looks for a text in titles and names.
type nameSearch struct {
	text  string
	names map[UserID]string // found so far
}

// finds tells whether an entry has the text. The directory is asked for the
// first maxNames people of a search; others are found by their ids.
func (n *nameSearch) finds(ctx context.Context, s *Service, e *HistoryEntry) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), n.text) }
	if n.text == "" || has(e.Title) || slices.ContainsFunc(e.Others, func(id UserID) bool { return has(string(id)) || has(n.names[id]) }) {
		return true
	}
	var unknown []UserID
	for _, id := range e.Others {
		if _, known := n.names[id]; !known && len(n.names)+len(unknown) < maxNames {
			unknown = append(unknown, id)
		}
	}
	found := s.Users(ctx, unknown)
	for _, id := range unknown {
		n.names[id] = ""
		if u := found[id]; u != nil {
			n.names[id] = u.Title()
		}
	}
	return slices.ContainsFunc(unknown, func(id UserID) bool { return has(n.names[id]) })
}

// History returns the acting user's past calls, newest first.
func (s *Service) History(ctx context.Context, by Actor, q HistoryQuery) ([]HistoryEntry, error) {
	const op = "get history"
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	switch {
	case q.Limit == 0:
		q.Limit = 50
	case q.Limit < 0 || q.Limit > historyPage:
		return nil, s.wrap(ctx, by, op, invalid("limit", "is not between 1 and %d", historyPage))
	}
	if err := checkText("text", q.Text, 0, maxSearch); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	seen, _, err := s.seenUntil(ctx, by.User)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	search := nameSearch{text: strings.ToLower(q.Text), names: make(map[UserID]string)}
	prefix := historyPrefix + string(by.User) + "/"
	after := ""
	if q.After != "" {
		after = prefix + q.After
	}
	var list []HistoryEntry
	for v, err := range s.store.Values(ctx, ValueQuery{Prefix: prefix, After: after}) {
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		e, err := historyEntry(v, prefix)
		if err != nil {
			return nil, s.wrap(ctx, by, op, err)
		}
		if !q.selects(e) || !search.finds(ctx, s, e) {
			continue
		}
		e.Unseen = e.missedAfter(seen)
		list = append(list, *e)
		if len(list) == q.Limit {
			break
		}
	}
	return list, nil
}

func historyEntry(v *Value, prefix string) (*HistoryEntry, error) {
	var e HistoryEntry
	if err := json.Unmarshal(v.Data, &e); err != nil {
		return nil, fmt.Errorf("decode history: %w", err)
	}
	e.Cursor = strings.TrimPrefix(v.Key, prefix)
	return &e, nil
}
