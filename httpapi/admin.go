package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/webconferencing/webconferencing"
)

const (
	// liveDefault and liveMost are how many calls one answer has.
	liveDefault, liveMost = 50, 100
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

// seatView is a device that is inside.
type seatView struct {
	User     string   `json:"user"`
	ClientID string   `json:"clientId"`
	Joined   wireTime `json:"joined"`
	// Node keeps the lease; what is known of the lease is known to it alone.
	Node      string   `json:"node"`
	NodeName  *string  `json:"nodeName"`
	NodeAlive bool     `json:"nodeAlive"`
	Renewed   wireTime `json:"renewed"`
	LeaseLeft *int64   `json:"leaseLeft"` // milliseconds
}

func viewSeat(s *webconferencing.SeatStatus) seatView {
	v := seatView{
		User: string(s.User), ClientID: string(s.Client), Joined: wireTime(s.Joined),
		Node: s.Node, NodeName: orNil(s.NodeName), NodeAlive: s.NodeAlive, Renewed: wireTime(s.Renewed),
	}
	if s.Here {
		left := s.LeaseLeft.Milliseconds()
		v.LeaseLeft = &left
	}
	return v
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
	case "explain":
		result, err = a.explain(ctx, in.by, id)
	case "force_end":
		result, err = a.forceEnd(ctx, in.by, id, in.args)
	default:
		return nil, nil, false
	}
	return result, err, true
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
	seats, err := a.seatsByCall(ctx, by)
	if err != nil {
		return nil, err
	}
	var people people
	for _, c := range calls {
		v.Calls = append(v.Calls, viewLiveCall(c, seats[c.ID], &people))
	}
	v.Users = a.show(ctx, people)
	return v, nil
}

// seatsByCall returns what is known of the first seats of each call.
func (a *API) seatsByCall(ctx context.Context, by webconferencing.Actor) (map[webconferencing.CallID][]seatView, error) {
	list, err := a.svc.LiveSeats(ctx, by)
	if err != nil {
		return nil, err
	}
	seats := make(map[webconferencing.CallID][]seatView)
	for i := range list {
		if id := list[i].Call; len(seats[id]) < liveShown {
			seats[id] = append(seats[id], viewSeat(&list[i]))
		}
	}
	return seats, nil
}

func viewLiveCall(c *webconferencing.Call, seats []seatView, people *people) liveCallView {
	v := liveCallView{
		ID: string(c.ID), Title: c.Title, Owner: refView{ID: c.Owner.ID, Type: string(c.Owner.Type)}, Group: c.IsGroup(),
		ProviderType: c.Provider, State: orNil(string(c.State)), Epoch: c.Epoch, Version: c.Version,
		Starter: orNil(string(c.Starter)), Started: wireTime(c.Started), RingUntil: wireTime(c.RingUntil), EndBy: wireTime(c.EndBy),
		ParticipantsTotal: len(c.Participants), SeatsTotal: len(c.Seats),
		Seats: append([]seatView{}, seats...), Ringing: []ringingView{},
		Participants: make([]partView, 0, min(len(c.Participants), liveShown)),
	}
	people.add(c.Starter)
	for i := range seats {
		people.add(webconferencing.UserID(seats[i].User))
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

// forceEnd ends a call whoever is inside.
func (a *API) forceEnd(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, args *arguments) (any, error) {
	if err := onlyAdmins(by); err != nil {
		return nil, err
	}
	why := args.text("why")
	if err := args.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, by)(a.svc.ForceEnd(ctx, by, id, why))
}

func (a *API) getAdminCalls(ctx context.Context, q *request) (any, error) {
	args, err := q.asArguments("cursor", "limit")
	if err != nil {
		return nil, err
	}
	return a.liveCalls(ctx, q.by, args)
}

func (a *API) postForceEnd(ctx context.Context, q *request) (any, error) {
	return a.forceEnd(ctx, q.by, q.callID(), q.body)
}

// deleteHistory erases a person from all histories.
func (a *API) deleteHistory(ctx context.Context, q *request) (any, error) {
	return none{}, a.svc.EraseUser(ctx, q.by, webconferencing.UserID(q.params["user"]))
}
