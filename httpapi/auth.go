package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/webconferencing/webconferencing"
)

// Authenticator tells who a request comes from. It is the host's own: it looks
// at the portal's session cookie, at a header, at whatever the portal signs its
// users in with.
//
// It is asked for every HTTP request, for every Bayeux request, and every ten
// seconds for each open WebSocket with the request that opened it and for each
// held connect with its own. So it should be quick, and it should no longer know
// a user who has signed out. It may be called concurrently. The request's context
// ends after five seconds over REST, and after the CallTimeout of Options.Bayeux
// elsewhere, nine seconds by default.
type Authenticator interface {
	// Authenticate returns the signed-in user, with Actor.Admin set for an
	// administrator; its other fields are ignored. Nobody signed in is
	// [ErrUnauthenticated], bare or wrapped; any other error is answered by
	// HTTP status 500 and logged.
	Authenticate(r *http.Request) (webconferencing.Actor, error)
}

// AuthenticatorFunc is a function that is an [Authenticator].
type AuthenticatorFunc func(r *http.Request) (webconferencing.Actor, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(r *http.Request) (webconferencing.Actor, error) { return f(r) }

const maxIDLength = 255

// signedIn authenticates a REST request.
func (a *API) signedIn(r *http.Request) (webconferencing.Actor, error) {
	ctx, cancel := context.WithTimeout(r.Context(), callbackTimeout)
	defer cancel()
	return a.authenticate(ctx, r)
}

// authenticate asks the host and distrusts its answer as far as that is
// possible: a panic is an error, and a user without a name is nobody. The
// context, which must have a deadline, is the request's for that.
func (a *API) authenticate(ctx context.Context, r *http.Request) (actor webconferencing.Actor, err error) {
	defer func() {
		if v := recover(); v != nil {
			actor = webconferencing.Actor{}
			err = fmt.Errorf("authenticator panicked: %v\n%s", v, debug.Stack())
		}
	}()
	actor, err = a.auth.Authenticate(r.WithContext(ctx))
	if err != nil {
		return webconferencing.Actor{}, err
	}
	if actor.User == "" || len(actor.User) > 4*maxIDLength {
		return webconferencing.Actor{}, errors.New("authenticator returned no usable user id")
	}
	actor.Client, actor.Key = "", ""
	return actor, nil
}
