package httpapi

import (
	"context"

	"github.com/webconferencing/webconferencing"
)

// historyEntryView is one past call as one person remembers it.
type historyEntryView struct {
	Cursor       string     `json:"cursor"`
	CallID       string     `json:"callId"`
	Epoch        uint64     `json:"epoch"`
	ProviderType string     `json:"providerType"`
	Owner        refView    `json:"owner"`
	Group        bool       `json:"group"`
	Title        string     `json:"title"`
	Outgoing     bool       `json:"outgoing"`
	Outcome      string     `json:"outcome"`
	Reason       *string    `json:"reason"`
	Started      wireTime   `json:"started"`
	Ended        wireTime   `json:"ended"`
	Spent        int64      `json:"spent"` // milliseconds inside
	Devices      int        `json:"devices"`
	Others       []userView `json:"others"`
	OthersTotal  int        `json:"othersTotal"`
	Unseen       bool       `json:"unseen"`
}

// historyView is a page of them, newest first.
type historyView struct {
	Entries []historyEntryView `json:"entries"`
	// Next is where the next page begins, null if there is none.
	Next *string `json:"next"`
}

type countView struct {
	Count int `json:"count"`
}

// historyCommand carries out the commands about the own past calls.
func (a *API) historyCommand(ctx context.Context, name string, in *invocation) (result any, err error, known bool) {
	switch name {
	case "get_history":
		q := readHistoryQuery(in.args)
		if err = in.args.fault(); err == nil {
			result, err = a.history(ctx, in.by, q)
		}
	case "get_missed_count":
		result, err = a.watchMissed(ctx, in.by, in.peer)
	case "mark_seen":
		upTo := in.args.text("upTo")
		if err = in.args.fault(); err == nil {
			result, err = a.markSeen(ctx, in.by, upTo)
		}
	default:
		return nil, nil, false
	}
	return result, err, true
}

func readHistoryQuery(args *arguments) webconferencing.HistoryQuery {
	return webconferencing.HistoryQuery{
		After: args.text("cursor"), Limit: args.count("limit"), Outcome: webconferencing.Outcome(args.text("outcome")),
		With: webconferencing.UserID(args.text("with")), Text: args.text("text"),
	}
}

// historyDefault is how many entries are answered if no number is asked for.
const historyDefault = 50

// history returns a page of the acting user's past calls.
func (a *API) history(ctx context.Context, by webconferencing.Actor, q webconferencing.HistoryQuery) (historyView, error) {
	if q.Limit == 0 {
		q.Limit = historyDefault
	}
	if err := checkHistoryQuery(&q); err != nil {
		return historyView{}, err
	}
	list, err := a.svc.History(ctx, by, q)
	if err != nil {
		return historyView{}, err
	}
	v := historyView{Entries: make([]historyEntryView, 0, len(list))}
	if len(list) == q.Limit {
		v.Next = orNil(list[len(list)-1].Cursor)
	}
	users := a.names.users(ctx, peopleOfHistory(list))
	for i := range list {
		v.Entries = append(v.Entries, viewHistoryEntry(&list[i], users))
	}
	return v, nil
}

// checkHistoryQuery refuses what can't select anything, so that a client with a
// misspelt outcome does not show an empty history.
func checkHistoryQuery(q *webconferencing.HistoryQuery) error {
	for _, v := range []struct{ name, text string }{
		{"cursor", q.After}, {"with", string(q.With)}, {"text", q.Text},
	} {
		if len(v.text) > 4*maxIDLength {
			return invalid(v.name, "is too long")
		}
	}
	switch q.Outcome {
	case "", webconferencing.OutcomeAnswered, webconferencing.OutcomeMissed, webconferencing.OutcomeDeclined, webconferencing.OutcomeBusy,
		webconferencing.OutcomeCancelled, webconferencing.OutcomeNoAnswer, webconferencing.OutcomeFailed:
		return nil
	}
	return invalid("outcome", "is none of answered, missed, declined, busy, cancelled, no_answer, failed")
}

func peopleOfHistory(list []webconferencing.HistoryEntry) []webconferencing.UserID {
	var ids []webconferencing.UserID
	for i := range list {
		ids = append(ids, list[i].Others...)
	}
	return ids
}

// viewHistoryEntry shows the others by name and picture only: the one who looks
// may have been a guest, and past calls give no right to anybody's profile.
func viewHistoryEntry(e *webconferencing.HistoryEntry, users map[webconferencing.UserID]*webconferencing.User) historyEntryView {
	v := historyEntryView{
		Cursor: e.Cursor, CallID: string(e.Call), Epoch: e.Epoch, ProviderType: e.Provider,
		Owner: refView{ID: e.Owner.ID, Type: string(e.Owner.Type)}, Group: e.Owner.Type.IsGroup(), Title: e.Title,
		Outgoing: e.Outgoing, Outcome: string(e.Outcome), Reason: orNil(string(e.Reason)),
		Started: wireTime(e.Started), Ended: wireTime(e.Ended), Spent: e.Spent.Milliseconds(), Devices: e.Devices,
		Others: make([]userView, 0, len(e.Others)), OthersTotal: e.OthersTotal, Unseen: e.Unseen,
	}
	for _, id := range e.Others {
		v.Others = append(v.Others, nameOnly(knownUser(users, id)))
	}
	return v
}

// markSeen says that the acting user has seen the history, all of it or up to
// an entry, and returns how many missed calls remain.
func (a *API) markSeen(ctx context.Context, by webconferencing.Actor, upTo string) (countView, error) {
	if len(upTo) > 4*maxIDLength {
		return countView{}, invalid("upTo", "is too long")
	}
	var err error
	if upTo == "" {
		err = a.svc.MarkSeen(ctx, by)
	} else {
		err = a.svc.MarkSeenUpTo(ctx, by, upTo)
	}
	if err != nil {
		return countView{}, err
	}
	a.missed.happened(by.User) // the journal tells other processes
	n, err := a.svc.MissedCalls(ctx, by)
	return countView{n}, err
}

func (a *API) getHistory(ctx context.Context, q *request) (any, error) {
	args, err := q.asArguments("cursor", "limit", "outcome", "with", "text")
	if err != nil {
		return nil, err
	}
	hq := readHistoryQuery(args)
	if err := args.fault(); err != nil {
		return nil, err
	}
	return a.history(ctx, q.by, hq)
}

func (a *API) getMissed(ctx context.Context, q *request) (any, error) {
	n, err := a.svc.MissedCalls(ctx, q.by)
	return countView{n}, err
}

func (a *API) postSeen(ctx context.Context, q *request) (any, error) {
	upTo := q.body.text("upTo")
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.markSeen(ctx, q.by, upTo)
}
