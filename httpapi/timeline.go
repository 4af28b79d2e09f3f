package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/webconferencing/webconferencing"
)

// timelineDefault and timelineMost are how many transitions one answer has.
const timelineDefault, timelineMost = 200, 1000

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

func (a *API) getTimeline(ctx context.Context, q *request) (any, error) {
	args, err := q.asArguments("cursor", "limit")
	if err != nil {
		return nil, err
	}
	return a.timeline(ctx, q.by, q.callID(), args)
}
