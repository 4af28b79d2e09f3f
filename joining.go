package webconferencing

import (
	"context"
	"errors"
)

// Admission is what a device gets by joining.
type Admission struct {
	Call *Call
	Seat SeatRef
	// Grant is what the provider hands out to this device; nil if nothing.
	Grant *Grant
}

// JoinCall gives by's device a seat in the call and starts the call if it is
// not started. A device that is inside already keeps its seat.
func (s *Service) JoinCall(ctx context.Context, by Actor, id CallID) (*Admission, error) {
	return s.join(ctx, by, "join call", id, joinCommand{})
}

// AcceptCall answers a call that rings: it joins unless the call was answered
// or declined on another device of the user, or is over. Exactly one device
// wins; the error of the others has [CodeConflict] with
// [ReasonAnsweredElsewhere] or [ReasonNotRinging].
func (s *Service) AcceptCall(ctx context.Context, by Actor, id CallID) (*Admission, error) {
	return s.join(ctx, by, "accept call", id, joinCommand{accept: true})
}

// TakeOver joins on this device and takes the user's other devices out of the
// call, at once: the user goes on here. The others are told by an
// [EventReplaced]; nobody else notices more than a join.
func (s *Service) TakeOver(ctx context.Context, by Actor, id CallID) (*Admission, error) {
	return s.join(ctx, by, "take over call", id, joinCommand{takeover: true})
}

func (s *Service) join(ctx context.Context, by Actor, op string, id CallID, how joinCommand) (*Admission, error) {
	if err := validActor(by, true); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	c, err := s.command(ctx, by, op, id, ActionJoin, nil, func(a access) command {
		cmd := how
		cmd.access, cmd.seat, cmd.inviteID = a, newSeatID(), newSecret()
		return &cmd
	})
	if err != nil {
		return nil, err
	}
	seat := c.Seat(by.User, by.Client)
	if seat == nil {
		return nil, s.wrap(ctx, by, op, seatGone())
	}
	ref := SeatRef{Call: id, Epoch: c.Epoch, Seat: seat.ID}
	s.leases.renew(ref, by.User, s.now())
	grant, err := s.registry.grant(ctx, by, c, ref)
	if err != nil {
		// Without a grant the device can't take part: it must not stay.
		_, leaveErr := s.submit(ctx, id, &leaveCommand{by: by, epoch: ref.Epoch, seat: ref.Seat})
		return nil, s.wrap(ctx, by, op, errors.Join(err, leaveErr))
	}
	return &Admission{Call: c, Seat: ref, Grant: grant}, nil
}

// LeaveOptions say which seat is left. Nil or zero: that of the acting user's
// client in the present run.
type LeaveOptions struct {
	Epoch uint64
	Seat  SeatID
}

// LeaveCall takes a device out of a call. From a user who never was in this
// run it is a decline, see [Service.DeclineCall]. A seat that is gone, of an
// earlier run or of another user is left alone without an error.
func (s *Service) LeaveCall(ctx context.Context, by Actor, id CallID, opts *LeaveOptions) (*Call, error) {
	const op = "leave call"
	if opts == nil {
		opts = &LeaveOptions{}
	}
	if err := validActor(by, opts.Seat == ""); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := checkCallID(id); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	return s.leave(ctx, by, op, id, &leaveCommand{by: by, epoch: opts.Epoch, seat: opts.Seat})
}

// LeaveSeat takes exactly one seat out of its call: that device, in that run. It
// reports whether the seat was there; a seat that is gone already, of an
// earlier run or of somebody else is left alone without an error.
func (s *Service) LeaveSeat(ctx context.Context, by Actor, ref SeatRef) (applied bool, err error) {
	const op = "leave call"
	if err := errors.Join(validActor(by, false), checkCallID(ref.Call)); err != nil {
		return false, s.wrap(ctx, by, op, err)
	}
	if ref.Seat == "" || ref.Epoch == 0 {
		return false, s.wrap(ctx, by, op, invalid("seat", "is missing"))
	}
	cmd := &leaveCommand{by: by, epoch: ref.Epoch, seat: ref.Seat}
	_, err = s.leave(ctx, by, op, ref.Call, cmd)
	if CodeOf(err) == CodeNotFound {
		return false, nil
	}
	return cmd.applied, err
}

// DeclineCall refuses a call for all of the user's devices. A call between two
// users ends by it, a group's call never. It changes nothing for somebody who
// is or was inside.
func (s *Service) DeclineCall(ctx context.Context, by Actor, id CallID) (*Call, error) {
	return s.decline(ctx, by, "decline call", id, ReasonDeclined)
}

// RefuseBusy is DeclineCall for somebody who is busy; the caller is told so.
func (s *Service) RefuseBusy(ctx context.Context, by Actor, id CallID) (*Call, error) {
	return s.decline(ctx, by, "refuse call", id, ReasonBusy)
}

func (s *Service) decline(ctx context.Context, by Actor, op string, id CallID, why Reason) (*Call, error) {
	if err := validActor(by, false); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	if err := checkCallID(id); err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	// A device without a name holds no seat, so nothing but a decline can
	// come of it.
	device := by.Client
	by.Client = ""
	return s.leave(ctx, by, op, id, &leaveCommand{by: by, why: why, device: device})
}

// leave needs nobody's word on who may: everybody may leave.
func (s *Service) leave(ctx context.Context, by Actor, op string, id CallID, cmd *leaveCommand) (*Call, error) {
	once, err := newOnce(by, op, id, LeaveOptions{Epoch: cmd.epoch, Seat: cmd.seat})
	if err != nil {
		return nil, s.wrap(ctx, by, op, err)
	}
	c, err := s.submitOnce(ctx, id, cmd, once)
	if err == nil && c == nil {
		err = noSuchCall()
	}
	return c, s.wrap(ctx, by, op, err)
}
