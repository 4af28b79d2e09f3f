package httpapi

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/webconferencing/webconferencing"
)

// invocation is one remote call being carried out.
type invocation struct {
	attempt
	args *arguments
	peer *peer
}

// none is the result of a command that has nothing to say.
type none struct{}

// callCommand carries out a command of the target /webconferencing/calls.
func (a *API) callCommand(ctx context.Context, in *invocation) (any, error) {
	name := in.args.required("command")
	if len(name) > 32 {
		in.args.fail("command", "is longer than 32 characters")
	}
	if err := in.args.fault(); err != nil {
		return nil, err
	}
	in.what = "command " + name
	if result, err, ok := a.generalCommand(ctx, name, in); ok {
		return result, err
	}
	id := webconferencing.CallID(in.args.required("id"))
	if err := in.args.fault(); err != nil {
		return nil, err
	}
	in.call = id
	if result, err, ok := a.ringCommand(ctx, name, in, id); ok {
		return result, err
	}
	if result, err, ok := a.adminCommand(ctx, name, in, id); ok {
		return result, err
	}
	switch name {
	case "get":
		return a.callResult(ctx, in.by)(a.svc.Call(ctx, in.by, id))
	case "create":
		n := readNewCall(in.args, id)
		if err := in.args.fault(); err != nil {
			return nil, err
		}
		return a.callResult(ctx, in.by)(a.createCall(ctx, in.by, n))
	case "update":
		return a.updateCommand(ctx, in, id)
	case "delete":
		return a.callResult(ctx, in.by)(a.svc.DeleteCall(ctx, in.by, id))
	case "heartbeat":
		return a.heartbeatCommand(ctx, in, id)
	case "add_guest":
		return a.userCommand(ctx, in, id, "guestId", a.svc.AddGuest)
	case "update_invites":
		invites := readInvites(in.args)
		if err := in.args.fault(); err != nil {
			return nil, err
		}
		return a.callResult(ctx, in.by)(a.svc.SetInvites(ctx, in.by, id, invites))
	case "check_invite":
		invite := in.args.required("inviteId")
		if err := in.args.fault(); err != nil {
			return nil, err
		}
		return a.checkInvite(ctx, in.by, id, invite)
	case "get_calls_state":
		if string(id) != string(in.by.User) {
			return nil, accessDenied("id must be your own")
		}
		list, err := a.svc.CallsState(ctx, in.by)
		return viewStatuses(list), err
	}
	return nil, invalid("command", "is not known")
}

// generalCommand carries out the commands that are not about one call.
func (a *API) generalCommand(ctx context.Context, name string, in *invocation) (result any, err error, known bool) {
	switch name {
	case "settings":
		result, err = a.settingsCommand(ctx, in)
	case "get_org_identities":
		result, err = a.identitiesCommand(ctx, in)
	case "get_open_calls":
		result, err = a.openCalls(ctx, in.by)
	case "get_live_calls":
		result, err = a.liveCalls(ctx, in.by, in.args)
	default:
		return a.historyCommand(ctx, name, in)
	}
	return result, err, true
}

// ringCommand carries out the commands that old clients don't have: what may
// become of a ring, and going on on another device.
func (a *API) ringCommand(ctx context.Context, name string, in *invocation, id webconferencing.CallID) (result any, err error, known bool) {
	show := a.callResult(ctx, in.by)
	switch name {
	case "accept":
		result, err = a.enter(ctx, in.by, in.peer, id, a.svc.AcceptCall)
	case "take_over":
		result, err = a.enter(ctx, in.by, in.peer, id, a.svc.TakeOver)
	case "ringing":
		result, err = show(a.svc.Ringing(ctx, in.by, id))
	case "decline":
		why := in.args.text("reason")
		if err = in.args.fault(); err == nil {
			result, err = show(a.decline(ctx, in.by, id, why))
		}
	case "cancel":
		result, err = show(a.svc.StopCall(ctx, in.by, id))
	case "ring_again":
		result, err = a.userCommand(ctx, in, id, "user", a.ringAgain)
	case "remove_participant":
		result, err = a.userCommand(ctx, in, id, "user", a.svc.RemoveParticipant)
	default:
		return nil, nil, false
	}
	return result, err, true
}

// decline refuses a call, saying why if that is worth telling.
func (a *API) decline(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, why string) (*webconferencing.Call, error) {
	switch webconferencing.Reason(why) {
	case "", webconferencing.ReasonDeclined:
		return a.svc.DeclineCall(ctx, by, id)
	case webconferencing.ReasonBusy:
		return a.svc.RefuseBusy(ctx, by, id)
	}
	return nil, invalid("reason", "is neither declined nor busy")
}

// aboutUser is a method of the service that does something with one user of a
// call.
type aboutUser func(context.Context, webconferencing.Actor, webconferencing.CallID, webconferencing.UserID) (*webconferencing.Call, error)

// userCommand carries out a command whose only argument is a user.
func (a *API) userCommand(ctx context.Context, in *invocation, id webconferencing.CallID, name string, m aboutUser) (any, error) {
	user := webconferencing.UserID(in.args.required(name))
	if err := in.args.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, in.by)(m(ctx, in.by, id, user))
}

// callResult renders what a method of the service returned.
func (a *API) callResult(ctx context.Context, by webconferencing.Actor) func(*webconferencing.Call, error) (any, error) {
	return func(c *webconferencing.Call, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return a.viewCall(ctx, by, c)
	}
}

// updateCommand is three commands in one: a change of state, of the
// participants, or of the description.
func (a *API) updateCommand(ctx context.Context, in *invocation, id webconferencing.CallID) (any, error) {
	result := a.callResult(ctx, in.by)
	switch {
	case in.args.has("state"):
		return a.stateCommand(ctx, in, id, in.args.text("state"))
	case in.args.has("participants"):
		list := userIDs(in.args.list("participants"))
		if err := in.args.fault(); err != nil {
			return nil, err
		}
		return result(a.svc.SetParticipants(ctx, in.by, id, list))
	case in.args.has("info"):
		info := in.args.object("info")
		if err := in.args.fault(); err != nil {
			return nil, err
		}
		update := readUpdate(info)
		if err := info.fault(); err != nil {
			return nil, err
		}
		return result(a.svc.UpdateCall(ctx, in.by, id, update))
	}
	return nil, invalid("info", "is missing, and so are state and participants")
}

func (a *API) stateCommand(ctx context.Context, in *invocation, id webconferencing.CallID, state string) (any, error) {
	result := a.callResult(ctx, in.by)
	switch state {
	case "started":
		return result(a.startCall(ctx, in.by, id))
	case "stopped":
		return result(a.svc.StopCall(ctx, in.by, id))
	case "joined":
		return a.enter(ctx, in.by, in.peer, id, a.svc.JoinCall)
	case "leaved":
		opts := readSeat(in.args)
		if err := in.args.fault(); err != nil {
			return nil, err
		}
		return result(a.leave(ctx, in.by, id, opts))
	}
	return nil, invalid("state", "is none of started, stopped, joined, leaved")
}

// wayIn is a method of the service that gives the device a seat.
type wayIn func(context.Context, webconferencing.Actor, webconferencing.CallID) (*webconferencing.Admission, error)

// enter gives the device a seat. With a Bayeux session the seat lives as long
// as the session shows signs of life, without one it needs heartbeats.
func (a *API) enter(ctx context.Context, by webconferencing.Actor, p *peer, id webconferencing.CallID, way wayIn) (any, error) {
	adm, err := way(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if p != nil {
		a.presence.joined(p, keyOf(by, id), adm.Seat)
	} else {
		a.presence.joinedElsewhere(keyOf(by, id), adm.Seat)
	}
	return a.viewAdmission(ctx, by, adm)
}

func (a *API) leave(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, opts *webconferencing.LeaveOptions) (*webconferencing.Call, error) {
	c, err := a.svc.LeaveCall(ctx, by, id, opts)
	if err == nil && c.Seat(by.User, by.Client) == nil {
		a.presence.stand(keyOf(by, id), webconferencing.SeatRef{})
	}
	return c, err
}

func (a *API) heartbeatCommand(ctx context.Context, in *invocation, id webconferencing.CallID) (any, error) {
	opts := readSeat(in.args)
	if err := in.args.fault(); err != nil {
		return nil, err
	}
	return none{}, a.heartbeat(ctx, in.by, id, opts)
}

// heartbeat renews a seat named by the device that holds it.
func (a *API) heartbeat(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, seat *webconferencing.LeaveOptions) error {
	if seat.Seat == "" {
		return invalid("seat", "is missing")
	}
	return a.svc.RenewSeat(ctx, by, webconferencing.SeatRef{Call: id, Epoch: seat.Epoch, Seat: seat.Seat})
}

// checkInvite answers whether a call link lets the user in. Wrong guesses are
// limited, right answers are not, since a page may ask again and again.
func (a *API) checkInvite(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID, invite string) (any, error) {
	key := string(by.User)
	if wait, ok := a.guesses.ready(key, time.Now()); !ok {
		return nil, tooManyRequests(wait)
	}
	allowed, err := a.svc.CheckInvite(ctx, by, id, invite)
	if err == nil && !allowed {
		a.guesses.allow(key, time.Now())
	}
	return struct {
		Allowed bool `json:"allowed"`
	}{allowed}, err
}

// openCalls are the started calls that the user takes part in, so that a page
// that opens late still rings.
func (a *API) openCalls(ctx context.Context, by webconferencing.Actor) (any, error) {
	calls, err := a.svc.OpenCalls(ctx, by)
	if err != nil {
		return nil, err
	}
	return a.viewCalls(ctx, by, calls)
}

func (a *API) identitiesCommand(ctx context.Context, in *invocation) (any, error) {
	name := in.args.text("name")
	if err := in.args.fault(); err != nil {
		return nil, err
	}
	list, err := a.svc.SearchIdentities(ctx, in.by, name)
	return viewIdentities(list), err
}

func (a *API) settingsCommand(ctx context.Context, in *invocation) (any, error) {
	provider := in.args.required("provider")
	if err := in.args.fault(); err != nil {
		return nil, err
	}
	return a.providerSettings(ctx, in.by, provider)
}

func (a *API) providerSettings(ctx context.Context, by webconferencing.Actor, provider string) (any, error) {
	settings, err := a.svc.Providers().ClientSettings(ctx, by, provider)
	if err == nil && settings == nil {
		settings = map[string]any{}
	}
	return settings, err
}

// readNewCall reads the description of a call to be created.
func readNewCall(args *arguments, id webconferencing.CallID) webconferencing.NewCall {
	return webconferencing.NewCall{
		ID: id, Owner: webconferencing.Ref{ID: args.required("owner"), Type: webconferencing.OwnerType(args.required("ownerType"))},
		Provider: args.required("provider"), Title: args.text("title"),
		Participants: userIDs(args.list("participants")), Spaces: args.list("spaces"),
		Start: args.boolean("start"), ScheduledStart: args.instant("startDate"), ScheduledEnd: args.instant("endDate"),
		RingFor: args.seconds("ringFor"),
	}
}

// readUpdate reads what is to be replaced in a call. What is missing is kept,
// and so is what a lenient client left empty.
func readUpdate(args *arguments) webconferencing.CallUpdate {
	u := webconferencing.CallUpdate{
		Title: args.optional("title"), Provider: args.optional("provider"),
		Participants: userIDs(args.list("participants")), Spaces: args.list("spaces"),
		IfVersion: args.number("ifVersion"),
	}
	owner, kind := args.optional("owner"), args.optional("ownerType")
	switch {
	case owner != nil && kind != nil:
		u.Owner = &webconferencing.Ref{ID: *owner, Type: webconferencing.OwnerType(*kind)}
	case owner != nil:
		args.fail("ownerType", "is missing")
	case kind != nil:
		args.fail("owner", "is missing")
	}
	if t := args.instant("startDate"); !t.IsZero() {
		u.ScheduledStart = &t
	}
	if t := args.instant("endDate"); !t.IsZero() {
		u.ScheduledEnd = &t
	}
	if args.lenient {
		if u.Provider != nil && *u.Provider == "" {
			u.Provider = nil
		}
		if u.Participants != nil && len(u.Participants) == 0 {
			u.Participants = nil
		}
		if len(u.Spaces) == 0 {
			u.Spaces = nil
		}
	}
	return u
}

// readSeat reads which seat is meant; without any it is the device's present
// one.
func readSeat(args *arguments) *webconferencing.LeaveOptions {
	return &webconferencing.LeaveOptions{Epoch: args.number("epoch"), Seat: webconferencing.SeatID(args.text("seat"))}
}

// readInvites reads the list of those who may come in by the call link.
func readInvites(args *arguments) []webconferencing.Invite {
	if !args.has("invites") {
		args.fail("invites", "is missing")
		return nil
	}
	list := args.objects("invites")
	invites := make([]webconferencing.Invite, 0, len(list))
	for i, item := range list {
		invite := webconferencing.Invite{ID: item.required("id")}
		switch kind := item.text("type"); kind {
		case "group":
			invite.Group = true
		case "user", "":
		default:
			item.fail("type", "is neither user nor group")
		}
		if item.fault() != nil {
			args.fail("invites", "has a bad entry at "+strconv.Itoa(i))
			return nil
		}
		invites = append(invites, invite)
	}
	return invites
}

// logCommand carries out a call of the target /webconferencing/logs.
func (a *API) logCommand(ctx context.Context, in *invocation) (any, error) {
	entry := readLogEntry(in.args)
	if err := in.args.fault(); err != nil {
		return nil, err
	}
	return none{}, a.svc.LogClient(ctx, in.by, entry)
}

// readLogEntry reads one message of a client's log. The message is the data
// itself, or a member of it.
func readLogEntry(args *arguments) webconferencing.LogEntry {
	e := webconferencing.LogEntry{
		Provider: args.text("provider"), Prefix: args.text("prefix"), Level: args.text("level"), Timestamp: args.instant("timestamp"),
		Ref: args.text("ref"),
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = time.Now()
	}
	raw := args.get("data")
	switch text, ok := stringOf(raw); {
	case ok:
		e.Message = text
	case len(raw) > 0 && raw[0] == '{':
		e.Message = logText(raw)
	case raw != nil:
		e.Message = string(raw)
	}
	return e
}

func logText(raw json.RawMessage) string {
	var data struct {
		Message *string `json:"message"`
	}
	if json.Unmarshal(raw, &data) == nil && data.Message != nil {
		return *data.Message
	}
	return string(raw)
}
