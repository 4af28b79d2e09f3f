package webconferencing

import (
	"context"
	"maps"
)

// Interceptor lets a host change what a [Joiner] is asked and what it answers:
// add a parameter of its own, shorten a name, take a right away. Its functions
// have [Options].CallbackTimeout; an error refuses the join as [Options].Before
// does.
type Interceptor struct {
	// Join may change User, Moderator and Call of the request before the
	// provider sees it; who joins which call on which seat stays as it is.
	// Defaults to none.
	Join func(ctx context.Context, r *JoinRequest) error
	// Grant may change the answer before the device gets it. Defaults to
	// none.
	Grant func(ctx context.Context, r JoinRequest, g *Grant) error
}

func (s *Service) interceptJoin(ctx context.Context, r *JoinRequest) error {
	hook := s.opts.Intercept.Join
	if hook == nil {
		return nil
	}
	fixed := *r
	changed, err := callback(ctx, s, "join interceptor", func(ctx context.Context) (JoinRequest, error) {
		own := fixed
		if fixed.User != nil {
			user := *fixed.User
			own.User = &user
		}
		err := hook(ctx, &own)
		return own, err
	})
	if err != nil {
		return s.refused(ctx, err, "join call", fixed)
	}
	if changed.Call == nil {
		changed.Call = fixed.Call
	}
	changed.Call.ID, changed.Call.Epoch, changed.Call.Provider = fixed.Seat.Call, fixed.Seat.Epoch, fixed.Call.Provider
	changed.Actor, changed.Seat, changed.Meeting = fixed.Actor, fixed.Seat, fixed.Meeting
	*r = changed
	return nil
}

func (s *Service) interceptGrant(ctx context.Context, r JoinRequest, g *Grant) error {
	hook := s.opts.Intercept.Grant
	if hook == nil {
		return nil
	}
	own := *g
	own.Settings = maps.Clone(g.Settings)
	changed, err := callback(ctx, s, "grant interceptor", func(ctx context.Context) (Grant, error) {
		err := hook(ctx, r, &own)
		return own, err
	})
	if err != nil {
		return s.refused(ctx, err, "join call", r)
	}
	*g = changed
	return nil
}

// refused is the answer to a command that an interceptor did not let pass.
func (s *Service) refused(ctx context.Context, err error, op string, r JoinRequest) error {
	if CodeOf(err) != CodeInternal {
		return err
	}
	s.logger.WarnContext(ctx, "command refused by the host", "op", op, "call", r.Seat.Call, "user", r.Actor.User, "error", err)
	return denied("refused by a rule of this portal")
}
