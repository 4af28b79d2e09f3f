package httpapi

import (
	"context"
	"time"

	"github.com/webconferencing/webconferencing"
)

// What rings other people is limited for each user, whatever way it comes: it
// disturbs them, and leaves entries in their history.

// mayRing takes one of the acting user's rings.
func (a *API) mayRing(by webconferencing.Actor) error {
	if wait, ok := a.rings.allow(string(by.User), time.Now()); !ok {
		return tooManyRequests(wait)
	}
	return nil
}

func (a *API) createCall(ctx context.Context, by webconferencing.Actor, n webconferencing.NewCall) (*webconferencing.Call, error) {
	if n.Start {
		if err := a.mayRing(by); err != nil {
			return nil, err
		}
	}
	return a.svc.CreateCall(ctx, by, n)
}

func (a *API) startCall(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID) (*webconferencing.Call, error) {
	if err := a.mayRing(by); err != nil {
		return nil, err
	}
	return a.svc.StartCall(ctx, by, id)
}

func (a *API) ringAgain(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, user webconferencing.UserID) (*webconferencing.Call, error) {
	if err := a.mayRing(by); err != nil {
		return nil, err
	}
	return a.svc.RingAgain(ctx, by, id, user)
}
