package webconferencing_test

import (
	"context"
	"testing"

	wc "github.com/webconferencing/webconferencing"
)

// keyedCommand is a mutating command, and what happens between it and its
// repeat, so that the repeat would change something if it were carried out.
type keyedCommand struct {
	before  func(t *testing.T, s *node) // the command
	run     func(ctx context.Context, s *node, by wc.Actor) error
	between func(t *testing.T, s *node)
	other   func(ctx context.Context, s *node, by wc.Actor) error // another command with the key
}

// keyedCommands are all commands that change a call, done by mary on the call
// g/p of a group that has john and james in it.
func keyedCommands() map[string]keyedCommand {
	const id = "g/p"
	title := func(s string) wc.CallUpdate { return wc.CallUpdate{Title: &s} }
	stop := func(t *testing.T, s *node) { must[*wc.Call](t)(s.StopCall(t.Context(), john, id)) }
	start := func(t *testing.T, s *node) { must[*wc.Call](t)(s.StartCall(t.Context(), john, id)) }
	join := func(t *testing.T, s *node) { must[*wc.Admission](t)(s.JoinCall(t.Context(), mary, id)) }
	decline := func(t *testing.T, s *node) { must[*wc.Call](t)(s.DeclineCall(t.Context(), james, id)) }
	restart := func(t *testing.T, s *node) { stop(t, s); start(t, s) }
	inside := func(t *testing.T, s *node) { must[*wc.Admission](t)(s.JoinCall(t.Context(), john, id)) }
	return map[string]keyedCommand{
		"CreateCall": {
			before: func(t *testing.T, s *node) { must[*wc.Call](t)(s.DeleteCall(t.Context(), john, id)) },
			run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
				return s.CreateCall(ctx, by, space(id, "product_team", true))
			}),
			between: stop,
			other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
				return s.CreateCall(ctx, by, space(id, "product_team", false))
			}),
		},
		"StartCall":                     {before: stop, run: on(id, (*wc.Service).StartCall), between: stop, other: on(id, (*wc.Service).StopCall)},
		"StopCall":                      {run: on(id, (*wc.Service).StopCall), between: start, other: on(id, (*wc.Service).StartCall)},
		"StopCall that changed nothing": {before: stop, run: on(id, (*wc.Service).StopCall), between: start, other: on(id, (*wc.Service).StartCall)},
		"DeleteCall": {run: on(id, (*wc.Service).DeleteCall), between: func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.CreateCall(t.Context(), john, space(id, "product_team", true)))
		}, other: on(id, (*wc.Service).StartCall)},
		"JoinCall":   {run: onJoin(id, (*wc.Service).JoinCall), between: func(t *testing.T, s *node) { inside(t, s); join(t, s) }, other: onJoin(id, (*wc.Service).AcceptCall)},
		"AcceptCall": {run: onJoin(id, (*wc.Service).AcceptCall), between: inside, other: onJoin(id, (*wc.Service).JoinCall)},
		"TakeOver": {run: onJoin(id, (*wc.Service).TakeOver), between: func(t *testing.T, s *node) {
			must[*wc.Admission](t)(s.JoinCall(t.Context(), dev("mary", "m2"), id))
		}, other: onJoin(id, (*wc.Service).JoinCall)},
		"LeaveCall": {before: func(t *testing.T, s *node) { inside(t, s); join(t, s) }, run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.LeaveCall(ctx, by, id, nil)
		}), between: join, other: on(id, (*wc.Service).StopCall)},
		"DeclineCall": {before: func(t *testing.T, s *node) { stop(t, s); start(t, s) }, run: on(id, (*wc.Service).DeclineCall), between: restart, other: on(id, (*wc.Service).RefuseBusy)},
		"RefuseBusy":  {before: func(t *testing.T, s *node) { stop(t, s); start(t, s) }, run: on(id, (*wc.Service).RefuseBusy), between: restart, other: on(id, (*wc.Service).DeclineCall)},
		"Ringing":     {before: func(t *testing.T, s *node) { stop(t, s); start(t, s) }, run: on(id, (*wc.Service).Ringing), between: restart, other: on(id, (*wc.Service).StopCall)},
		"RingAgain": {before: func(t *testing.T, s *node) { join(t, s); decline(t, s) }, run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.RingAgain(ctx, by, id, "james")
		}), between: decline, other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.RingAgain(ctx, by, id, "john")
		})},
		"RemoveParticipant": {before: inside, run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.RemoveParticipant(ctx, by, id, "john")
		}), between: inside, other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.RemoveParticipant(ctx, by, id, "james")
		})},
		"UpdateCall": {run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.UpdateCall(ctx, by, id, title("a"))
		}),
			between: func(t *testing.T, s *node) { must[*wc.Call](t)(s.UpdateCall(t.Context(), john, id, title("b"))) },
			other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
				return s.UpdateCall(ctx, by, id, title("c"))
			})},
		"SetParticipants": {run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.SetParticipants(ctx, by, id, []wc.UserID{"mary", "john"})
		}), between: func(t *testing.T, s *node) {
			must[*wc.Call](t)(s.SetParticipants(t.Context(), john, id, []wc.UserID{"mary", "john", "james"}))
		}, other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.SetParticipants(ctx, by, id, []wc.UserID{"mary"})
		})},
		"AddGuest": {run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.AddGuest(ctx, by, id, "jack")
		}),
			between: func(t *testing.T, s *node) { must[*wc.Call](t)(s.RemoveParticipant(t.Context(), john, id, "jack")) },
			other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
				return s.AddGuest(ctx, by, id, "root")
			})},
		"SetInvites": {run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			return s.SetInvites(ctx, by, id, nil)
		}),
			between: func(t *testing.T, s *node) {
				must[*wc.Call](t)(s.SetInvites(t.Context(), john, id, []wc.Invite{{ID: wc.Everybody}}))
			},
			other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
				return s.SetInvites(ctx, by, id, []wc.Invite{{ID: "jack"}})
			})},
		"ForceEnd": {run: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			by.Admin = true
			return s.ForceEnd(ctx, by, id, "")
		}), between: start, other: errorOf2(func(ctx context.Context, s *node, by wc.Actor) (*wc.Call, error) {
			by.Admin = true
			return s.ForceEnd(ctx, by, id, "why")
		})},
	}
}

func errorOf2(f func(context.Context, *node, wc.Actor) (*wc.Call, error)) func(context.Context, *node, wc.Actor) error {
	return func(ctx context.Context, s *node, by wc.Actor) error {
		_, err := f(ctx, s, by)
		return err
	}
}

func on(id wc.CallID, f func(*wc.Service, context.Context, wc.Actor, wc.CallID) (*wc.Call, error)) func(context.Context, *node, wc.Actor) error {
	return func(ctx context.Context, s *node, by wc.Actor) error {
		_, err := f(s.Service, ctx, by, id)
		return err
	}
}

func onJoin(id wc.CallID, f func(*wc.Service, context.Context, wc.Actor, wc.CallID) (*wc.Admission, error)) func(context.Context, *node, wc.Actor) error {
	return func(ctx context.Context, s *node, by wc.Actor) error {
		_, err := f(s.Service, ctx, by, id)
		return err
	}
}

// Every command that changes a call is carried out once for a key, however
// often and late it is sent again.
func TestEveryCommandHasAKey(t *testing.T) {
	for name, test := range keyedCommands() {
		t.Run(name, func(t *testing.T) {
			one(t, func(t *testing.T, s *node, _ *people) {
				ctx := t.Context()
				must[*wc.Call](t)(s.CreateCall(ctx, john, space("g/p", "product_team", true)))
				if test.before != nil {
					test.before(t, s)
				}
				keyed := mary
				keyed.Key = "k"
				if err := test.run(ctx, s, keyed); err != nil {
					t.Fatal(err)
				}
				test.between(t, s)
				version := must[*wc.Call](t)(s.Call(ctx, john, "g/p")).Version
				if err := test.run(ctx, s, keyed); err != nil {
					t.Errorf("the repeat: %v", err)
				}
				if c := must[*wc.Call](t)(s.Call(ctx, john, "g/p")); c.Version != version {
					t.Errorf("the repeat was carried out: %+v", c)
				}
				wantCode(t, test.other(ctx, s, keyed), wc.CodeInvalid)
				// Without the key the repeat does change something, or the
				// test would prove nothing.
				switch name {
				case "JoinCall", "AcceptCall", "CreateCall":
					return // a conflict, or nothing, for other reasons
				}
				if err := test.run(ctx, s, mary); err != nil {
					t.Fatal(err)
				}
				events := must[[]wc.Event](t)(s.Timeline(ctx, admin, "g/p"))
				if events[len(events)-1].Version == version {
					t.Error("the command has no effect here even without a key")
				}
			})
		})
	}
}

// An invite that was checked with a key is answered alike the second time.
func TestCheckInviteHasAKey(t *testing.T) {
	one(t, func(t *testing.T, s *node, _ *people) {
		ctx := t.Context()
		must[*wc.Call](t)(s.CreateCall(ctx, mary, space("g/p", "product_team", true)))
		c := must[*wc.Call](t)(s.SetInvites(ctx, mary, "g/p", []wc.Invite{{ID: "jack"}}))
		keyed := jack
		keyed.Key = "k"
		for range 2 {
			if !must[bool](t)(s.CheckInvite(ctx, keyed, "g/p", c.InviteID)) {
				t.Error("jack is not let in")
			}
		}
		_, err := s.CheckInvite(ctx, keyed, "g/p", "another")
		wantCode(t, err, wc.CodeInvalid)
	})
}
