package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/webconferencing/webconferencing"
)

const (
	// Live calls, and transitions, of one answer.
	liveDefault, liveMost         = 50, 100
	timelineDefault, timelineMost = 200, 1000
	// liveShown is how many seats, rings and participants are shown of one call.
	liveShown = 50
)

// liveCallView is a started call as an administrator sees it: what keeps it
// alive. It has no secrets of its parties, neither the invite id nor ids of
// seats.
type liveCallView struct {
	ID                string        `json:"id"`
	Title             string        `json:"title"`
	Owner             refView       `json:"owner"`
	Group             bool          `json:"group"`
	ProviderType      string        `json:"providerType"`
	State             *string       `json:"state"`
	Epoch             uint64        `json:"epoch"`
	Version           uint64        `json:"version"`
	Starter           *string       `json:"starter"`
	Started           wireTime      `json:"started"`
	RingUntil         wireTime      `json:"ringUntil"`
	EndBy             wireTime      `json:"endBy"`
	ParticipantsTotal int           `json:"participantsTotal"`
	SeatsTotal        int           `json:"seatsTotal"`
	Seats             []seatView    `json:"seats"`
	Ringing           []ringingView `json:"ringing"`
	Participants      []partView    `json:"participants"`
}

type seatView struct {
	User     string   `json:"user"`
	ClientID string   `json:"clientId"`
	Node     string   `json:"node"`
	Joined   wireTime `json:"joined"`
}

type ringingView struct {
	User      string                     `json:"user"`
	RingingOn []webconferencing.ClientID `json:"ringingOn"`
}

// partView is a participant, inside or not.
type partView struct {
	User  string  `json:"user"`
	State *string `json:"state"`
	Ring  *string `json:"ring"`
}

type liveCallsView struct {
	Calls []liveCallView      `json:"calls"`
	Users map[string]userView `json:"users"`
	Next  *string             `json:"next"`
}

// transitionView is one entry of a call's timeline.
type transitionView struct {
	EventType    string   `json:"eventType"`
	CallID       string   `json:"callId"`
	Epoch        uint64   `json:"epoch"`
	Version      uint64   `json:"version"`
	Time         wireTime `json:"time"`
	ProviderType string   `json:"providerType"`
	Title        string   `json:"title"`
	State        *string  `json:"state"`
	Reason       *string  `json:"reason"`
	Part         *string  `json:"part"`
	ClientID     *string  `json:"clientId"`
	Count        int      `json:"count,omitempty"`
	Waiting      bool     `json:"waiting,omitempty"`
	Silent       bool     `json:"silent,omitempty"`
	Actor        *string  `json:"actor"`
	Cause        *string  `json:"cause"`
	Evidence     *string  `json:"evidence"`
	Node         *string  `json:"node"`
	// Ref is the reference of the request that brought it about.
	Ref  *string   `json:"ref"`
	Ring *string   `json:"ring"`
	Legs []legView `json:"legs"`
}

type timelineView struct {
	Events []transitionView    `json:"events"`
	Users  map[string]userView `json:"users"`
	// Next is where the page of earlier transitions ends, null if there are
	// none.
	Next *string `json:"next"`
}

// onlyAdmins is asked before anything else about an administrator's command, so
// that nobody else learns which calls there are.
func onlyAdmins(by webconferencing.Actor) error {
	if by.Admin {
		return nil
	}
	return accessDenied("only administrators may do this")
}

// adminCommand carries out an administrator's commands about one call.
func (a *API) adminCommand(ctx context.Context, name string, in *invocation, id webconferencing.CallID) (result any, err error, known bool) {
	switch name {
	case "get_timeline":
		result, err = a.timeline(ctx, in.by, id, in.args)
	case "force_end":
		result, err = a.forceEnd(ctx, in.by, id, in.args)
	default:
		return nil, nil, false
	}
	return result, err, true
}

func (a *API) liveCallsCommand(ctx context.Context, in *invocation) (any, error) {
	return a.liveCalls(ctx, in.by, in.args)
}

// page reads where a page begins and how long it is.
func page(args *arguments, usual, most int) (cursor string, limit int, err error) {
	cursor, limit = args.text("cursor"), args.count("limit")
	if limit > most {
		args.fail("limit", fmt.Sprintf("is more than %d", most))
	}
	if len(cursor) > 4*maxIDLength {
		args.fail("cursor", "is too long")
	}
	return cursor, cmp.Or(limit, usual), args.fault()
}

// liveCalls returns a page of the started calls, in the order of their ids.
func (a *API) liveCalls(ctx context.Context, by webconferencing.Actor, args *arguments) (any, error) {
	if err := onlyAdmins(by); err != nil {
		return nil, err
	}
	cursor, limit, err := page(args, liveDefault, liveMost)
	if err != nil {
		return nil, err
	}
	calls, err := a.svc.LiveCalls(ctx, by)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(calls, func(x, y *webconferencing.Call) int { return cmp.Compare(x.ID, y.ID) })
	from, found := slices.BinarySearchFunc(calls, cursor, func(c *webconferencing.Call, id string) int { return cmp.Compare(string(c.ID), id) })
	if found {
		from++
	}
	calls = calls[from:]
	v := liveCallsView{Calls: make([]liveCallView, 0, min(limit, len(calls)))}
	if len(calls) > limit {
		calls = calls[:limit]
		v.Next = orNil(string(calls[limit-1].ID))
	}
	var people people
	for _, c := range calls {
		v.Calls = append(v.Calls, viewLiveCall(c, &people))
	}
	v.Users = a.show(ctx, people)
	return v, nil
}

func viewLiveCall(c *webconferencing.Call, people *people) liveCallView {
	v := liveCallView{
		ID: string(c.ID), Title: c.Title, Owner: refView{ID: c.Owner.ID, Type: string(c.Owner.Type)}, Group: c.IsGroup(),
		ProviderType: c.Provider, State: orNil(string(c.State)), Epoch: c.Epoch, Version: c.Version,
		Starter: orNil(string(c.Starter)), Started: wireTime(c.Started), RingUntil: wireTime(c.RingUntil), EndBy: wireTime(c.EndBy),
		ParticipantsTotal: len(c.Participants), SeatsTotal: len(c.Seats),
		Seats: make([]seatView, 0, min(len(c.Seats), liveShown)), Ringing: []ringingView{},
		Participants: make([]partView, 0, min(len(c.Participants), liveShown)),
	}
	people.add(c.Starter)
	for _, s := range c.Seats[:min(len(c.Seats), liveShown)] {
		people.add(s.User)
		v.Seats = append(v.Seats, seatView{User: string(s.User), ClientID: string(s.Client), Node: s.Node, Joined: wireTime(s.Joined)})
	}
	for _, p := range c.Participants {
		if p.Ring == webconferencing.RingRinging && len(v.Ringing) < liveShown {
			people.add(p.ID)
			v.Ringing = append(v.Ringing, ringingView{User: string(p.ID), RingingOn: append([]webconferencing.ClientID{}, p.RingingOn...)})
		}
		if len(v.Participants) < liveShown {
			people.add(p.ID)
			v.Participants = append(v.Participants, partView{User: string(p.ID), State: orNil(string(p.State)), Ring: orNil(string(p.Ring))})
		}
	}
	return v
}

// people collects whose names an answer needs.
type people []webconferencing.UserID

func (p *people) add(id webconferencing.UserID) {
	if id != "" {
		*p = append(*p, id)
	}
}

// show returns those people by id.
func (a *API) show(ctx context.Context, ids people) map[string]userView {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	known := a.names.users(ctx, ids)
	views := make(map[string]userView, len(ids))
	for _, id := range ids {
		views[string(id)] = knownUser(known, id)
	}
	return views
}

// timeline returns the latest transitions of a call, oldest first, and with a
// cursor those before it.
func (a *API) timeline(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, args *arguments) (any, error) {
	if err := onlyAdmins(by); err != nil {
		return nil, err
	}
	cursor, limit, err := page(args, timelineDefault, timelineMost)
	if err != nil {
		return nil, err
	}
	events, err := a.svc.Timeline(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if cursor != "" {
		if events, err = before(events, cursor); err != nil {
			return nil, err
		}
	}
	v := timelineView{Events: []transitionView{}}
	if extra := len(events) - limit; extra > 0 {
		v.Next = orNil(placeOf(events, extra))
		events = events[extra:]
	}
	var people people
	for i := range events {
		e := &events[i]
		people.add(e.Part)
		people.add(e.Actor)
		v.Events = append(v.Events, viewTransition(e))
	}
	v.Users = a.show(ctx, people)
	return v, nil
}

// placeOf names a transition by its run, version, and place in the commit. The
// end of the list changes all the time, and its beginning is forgotten.
func placeOf(events []webconferencing.Event, i int) string {
	e, nth := &events[i], 0
	for j := i - 1; j >= 0 && events[j].Epoch == e.Epoch && events[j].Version == e.Version; j-- {
		nth++
	}
	return fmt.Sprintf("%d.%d.%d", e.Epoch, e.Version, nth)
}

// before returns the transitions in front of the named one.
func before(events []webconferencing.Event, place string) ([]webconferencing.Event, error) {
	var epoch, version, nth uint64
	if n, err := fmt.Sscanf(place, "%d.%d.%d", &epoch, &version, &nth); err != nil || n != 3 || strings.Count(place, ".") != 2 {
		return nil, invalid("cursor", "is not one of ours")
	}
	for i := range events {
		e := &events[i]
		if later := cmp.Or(cmp.Compare(e.Epoch, epoch), cmp.Compare(e.Version, version)); later > 0 || later == 0 && nth == 0 {
			return events[:i], nil
		} else if later == 0 {
			nth--
		}
	}
	return events, nil
}

func viewTransition(e *webconferencing.Event) transitionView {
	return transitionView{
		EventType: string(e.Type), CallID: string(e.CallID), Epoch: e.Epoch, Version: e.Version, Time: wireTime(e.Time),
		ProviderType: e.Provider, Title: e.Title, State: orNil(string(e.State)), Reason: orNil(string(e.Reason)),
		Part: orNil(string(e.Part)), ClientID: orNil(string(e.Client)), Count: e.Count, Waiting: e.Waiting, Silent: e.Silent,
		Actor: orNil(string(e.Actor)), Cause: orNil(string(e.Cause)), Node: orNil(e.Node),
		Evidence: orNil(e.Evidence), Ref: orNil(e.Ref), Ring: orNil(string(e.Ring)), Legs: viewLegs(e.Legs),
	}
}

// forceEnd ends a call whoever is inside.
func (a *API) forceEnd(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, args *arguments) (any, error) {
	if err := onlyAdmins(by); err != nil {
		return nil, err
	}
	why := args.text("why")
	if err := args.fault(); err != nil {
		return nil, err
	}
	if len(why) > maxIDLength {
		return nil, invalid("why", "is longer than 255 characters")
	}
	return a.callResult(ctx, by)(a.svc.StopCall(ctx, by, id))
}

func (a *API) getAdminCalls(ctx context.Context, q *request) (any, error) {
	args, err := q.asArguments("cursor", "limit")
	if err != nil {
		return nil, err
	}
	return a.liveCalls(ctx, q.by, args)
}

func (a *API) getTimeline(ctx context.Context, q *request) (any, error) {
	args, err := q.asArguments("cursor", "limit")
	if err != nil {
		return nil, err
	}
	return a.timeline(ctx, q.by, q.callID(), args)
}

func (a *API) postForceEnd(ctx context.Context, q *request) (any, error) {
	return a.forceEnd(ctx, q.by, q.callID(), q.body)
}

// deleteHistory erases a person from all histories.
func (a *API) deleteHistory(ctx context.Context, q *request) (any, error) {
	return none{}, a.svc.EraseUser(ctx, q.by, webconferencing.UserID(q.params["user"]))
}
