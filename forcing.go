package webconferencing

import (
	"cmp"
	"context"
)

// ForceEnd ends the run of a call for everybody, for administrators. It is the
// same transaction as any other end, with [CauseAdmin], and what the
// administrator says, up to 255 characters, stands in the call's timeline. It
// asks neither the directory nor [Options].Before, so that it works when
// nothing else does. A call that is not started is left alone.
func (s *Service) ForceEnd(ctx context.Context, by Actor, id CallID, why string) (*Call, error) {
	const op = "force end"
	if !by.Admin {
		return nil, s.wrap(ctx, by, op, denied("only administrators may do this"))
	}
	if err := cmp.Or(validActor(by, false), checkCallID(id), checkText("why", why, 0, maxTitle)); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	once, err := newOnce(by, op, id, why)
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	c, err := s.submitOnce(ctx, id, &forceEndCommand{by: by, why: why}, once)
	if err == nil && c == nil {
		err = noSuchCall()
	}
	return c, s.wrap(ctx, by, op, err)
}

type forceEndCommand struct {
	by  Actor
	why string
}

func (cmd *forceEndCommand) apply(t *transition) error {
	c, err := t.visible()
	if err != nil {
		return err
	}
	if c.State != StateStarted {
		return nil
	}
	t.acts(cmd.by)
	t.cause, t.evidence = CauseAdmin, cmp.Or(oneLine(cmd.why), t.evidence)
	t.stop(ReasonEnded)
	return nil
}
