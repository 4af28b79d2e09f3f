package httpapi

import (
	"context"

	"github.com/webconferencing/webconferencing"
)

// explanationView answers why a call is as it is.
type explanationView struct {
	ID        string              `json:"id"`
	State     *string             `json:"state"`
	Reason    *string             `json:"reason"`
	Epoch     uint64              `json:"epoch"`
	Version   uint64              `json:"version"`
	Removed   wireTime            `json:"removed"`
	Summary   string              `json:"summary"`
	Sentences []string            `json:"sentences"`
	Seats     []seatView          `json:"seats"`
	Ringing   []ringView          `json:"ringing"`
	Deadlines []deadlineView      `json:"deadlines"`
	Last      *transitionView     `json:"last"`
	Users     map[string]userView `json:"users"`
}

// ringView is the ring of one participant.
type ringView struct {
	User  string    `json:"user"`
	State string    `json:"state"`
	Until wireTime  `json:"until"`
	Legs  []legView `json:"legs"`
}

// deadlineView is something that happens by itself.
type deadlineView struct {
	What string   `json:"what"`
	At   wireTime `json:"at"`
}

func (a *API) explain(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID) (any, error) {
	if err := onlyAdmins(by); err != nil {
		return nil, err
	}
	x, err := a.svc.Explain(ctx, by, id)
	if err != nil {
		return nil, err
	}
	v := explanationView{
		ID: string(x.ID), State: orNil(string(x.State)), Reason: orNil(string(x.Reason)), Epoch: x.Epoch, Version: x.Version,
		Removed: wireTime(x.Removed), Summary: x.Summary, Sentences: append([]string{}, x.Sentences...),
		Seats: make([]seatView, 0, len(x.Seats)), Ringing: make([]ringView, 0, len(x.Ringing)),
		Deadlines: make([]deadlineView, 0, len(x.Deadlines)),
	}
	var people people
	for i := range x.Seats {
		people.add(x.Seats[i].User)
		v.Seats = append(v.Seats, viewSeat(&x.Seats[i]))
	}
	for _, r := range x.Ringing {
		people.add(r.User)
		v.Ringing = append(v.Ringing, ringView{User: string(r.User), State: string(r.State), Until: wireTime(r.Until), Legs: viewLegs(r.Legs)})
	}
	for _, d := range x.Deadlines {
		v.Deadlines = append(v.Deadlines, deadlineView{What: d.What, At: wireTime(d.At)})
	}
	if x.Last != nil {
		last := viewTransition(x.Last)
		v.Last = &last
		people.add(x.Last.Actor)
		people.add(x.Last.Part)
	}
	v.Users = a.show(ctx, people)
	return v, nil
}

func (a *API) getExplanation(ctx context.Context, q *request) (any, error) {
	return a.explain(ctx, q.by, q.callID())
}
