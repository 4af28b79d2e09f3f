package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// routeTable lists every REST resource; openapi.json describes them.
func (a *API) routeTable() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	routes := []route{
		{get, "openapi.json", forEverybody, noBody, a.getOpenAPI},
		{get, "context", forUsers, noBody, a.getContext},

		{get, "user/{name}", forUsers, noBody, a.getUser},
		{get, "space/{spaceName}", forUsers, noBody, a.getSpace},
		{get, "space-event/{spaceName}", forUsers, noBody, a.getSpaceEvent},
		{get, "room/{id}", forUsers, noBody, a.getRoom},
		{get, "identities", forUsers, noBody, a.getIdentities},

		{get, "providers/configuration", forAdmins, noBody, a.getProviders},
		{get, "provider/{type}/configuration", forAdmins, noBody, a.getProvider},
		{post, "provider/{type}/configuration", forAdmins, switchBody, a.postProvider},
		{get, "provider/{type}/settings", forUsers, noBody, a.getSettings},

		{get, "calls", forUsers, noBody, a.getCalls},
		{post, "calls", forUsers, jsonBody, a.postCall},
		{get, "calls/{id}", forUsers, noBody, a.getCall},
		{patch, "calls/{id}", forUsers, jsonBody, a.patchCall},
		{del, "calls/{id}", forUsers, noBody, a.callAction(a.bind((*webconferencing.Service).DeleteCall))},
		{post, "calls/{id}/start", forUsers, optionalJSON, a.callAction(a.startCall)},
		{post, "calls/{id}/stop", forUsers, optionalJSON, a.callAction(a.bind((*webconferencing.Service).StopCall))},
		{post, "calls/{id}/decline", forUsers, optionalJSON, a.postDecline},
		{post, "calls/{id}/ringing", forUsers, optionalJSON, a.callAction(a.bind((*webconferencing.Service).Ringing))},
		{post, "calls/{id}/join", forUsers, optionalJSON, a.postEnter((*webconferencing.Service).JoinCall)},
		{post, "calls/{id}/accept", forUsers, optionalJSON, a.postEnter((*webconferencing.Service).AcceptCall)},
		{post, "calls/{id}/take-over", forUsers, optionalJSON, a.postEnter((*webconferencing.Service).TakeOver)},
		{post, "calls/{id}/leave", forUsers, optionalJSON, a.postLeave},
		{post, "calls/{id}/heartbeat", forUsers, jsonBody, a.postHeartbeat},
		{put, "calls/{id}/participants", forUsers, jsonBody, a.putParticipants},
		{del, "calls/{id}/participants/{user}", forUsers, noBody, a.deleteParticipant},
		{post, "calls/{id}/participants/{user}/ring", forUsers, optionalJSON, a.postRing},
		{post, "calls/{id}/guests", forUsers, jsonBody, a.postGuest},
		{put, "calls/{id}/invites", forUsers, jsonBody, a.putInvites},
		{post, "calls/{id}/invites/check", forUsers, jsonBody, a.postInviteCheck},

		{get, "history", forUsers, noBody, a.getHistory},
		{get, "history/missed", forUsers, noBody, a.getMissed},
		{post, "history/seen", forUsers, optionalJSON, a.postSeen},

		{get, "live-calls", forAdmins, noBody, a.getLiveCalls},
		{get, "admin/calls", forAdmins, noBody, a.getAdminCalls},
		{get, "admin/calls/{id}/timeline", forAdmins, noBody, a.getTimeline},
		{get, "admin/calls/{id}/explanation", forAdmins, noBody, a.getExplanation},
		{post, "admin/calls/{id}/end", forAdmins, optionalJSON, a.postForceEnd},
		{post, "admin/calls/{id}/participants/{user}/ring", forAdmins, optionalJSON, a.postRing},
		{del, "admin/calls/{id}/participants/{user}", forAdmins, noBody, a.deleteParticipant},
		{del, "admin/users/{user}/history", forAdmins, noBody, a.deleteHistory},

		{post, "logs", forUsers, jsonBody, a.postLogs},
	}
	return slices.Concat(routes, a.providerRoutes(), a.accountRoutes(), a.panelRoutes())
}

type callMethod func(*webconferencing.Service, context.Context, webconferencing.Actor, webconferencing.CallID) (*webconferencing.Call, error)

type boundMethod func(context.Context, webconferencing.Actor, webconferencing.CallID) (*webconferencing.Call, error)

// bind binds a method to the service.
func (a *API) bind(m callMethod) boundMethod {
	return func(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID) (*webconferencing.Call, error) {
		return m(a.svc, ctx, by, id)
	}
}

func (q *request) callID() webconferencing.CallID { return webconferencing.CallID(q.params["id"]) }

// callAction makes a route's handler of a method that needs no arguments.
func (a *API) callAction(m boundMethod) func(context.Context, *request) (any, error) {
	return func(ctx context.Context, q *request) (any, error) {
		if q.body != nil {
			if err := q.body.fault(); err != nil {
				return nil, err
			}
		}
		return a.callResult(ctx, q.by)(m(ctx, q.by, q.callID()))
	}
}

func (a *API) getStatus(ctx context.Context, q *request) (any, error) {
	id := webconferencing.UserID(q.params["userId"])
	p, err := a.svc.Presence(ctx, q.by, id)
	return viewPresence(id, p), err
}

func (a *API) getUser(ctx context.Context, q *request) (any, error) {
	u, err := a.svc.User(ctx, q.by, webconferencing.UserID(q.params["name"]))
	if err != nil {
		return nil, err
	}
	return viewUser(u), nil
}

func (a *API) getSpace(ctx context.Context, q *request) (any, error) {
	g, err := a.svc.Space(ctx, q.by, q.params["spaceName"])
	if err != nil {
		return nil, err
	}
	return a.viewFullGroup(ctx, q.by, g)
}

// getSpaceEvent understands the address that old clients make by mistake, in
// which the query's first parameter belongs to the path:
// /space-event/IDparticipants=a%3Bb&?spaces=x
func (a *API) getSpaceEvent(ctx context.Context, q *request) (any, error) {
	name, participants, spaces := q.params["spaceName"], q.list("participants"), q.list("spaces")
	if at := strings.Index(name, "participants="); at > 0 {
		extra, err := parseQuery(name[at:])
		if err != nil {
			return nil, err
		}
		name = name[:at]
		more := &request{query: extra}
		participants = append(participants, more.list("participants")...)
		spaces = append(spaces, more.list("spaces")...)
	}
	g, err := a.svc.SpaceEvent(ctx, q.by, name, userIDs(participants), spaces)
	if err != nil {
		return nil, err
	}
	return viewGroup(g, "", a.names.users(ctx, g.Members)), nil
}

func (a *API) getRoom(ctx context.Context, q *request) (any, error) {
	title, err := q.one("title")
	if err != nil {
		return nil, err
	}
	g, err := a.svc.Room(ctx, q.by, q.params["id"], title, userIDs(q.list("members")))
	if err != nil {
		return nil, err
	}
	return a.viewFullGroup(ctx, q.by, g)
}

func (a *API) getIdentities(ctx context.Context, q *request) (any, error) {
	name, err := q.one("name")
	if err != nil {
		return nil, err
	}
	list, err := a.svc.SearchIdentities(ctx, q.by, name)
	return viewIdentities(list), err
}

func (a *API) getProviders(ctx context.Context, q *request) (any, error) {
	list, err := a.svc.Providers().Configs(ctx, q.language())
	return viewProviders(list), err
}

func (a *API) getProvider(ctx context.Context, q *request) (any, error) {
	c, err := a.svc.Providers().Config(ctx, q.params["type"], q.language())
	return viewProvider(c), err
}

func (a *API) postProvider(ctx context.Context, q *request) (any, error) {
	active, err := readSwitch(q)
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.Providers().SetActive(ctx, q.by, q.params["type"], active); err != nil {
		return nil, err
	}
	return a.getProvider(ctx, q)
}

func readSwitch(q *request) (bool, error) {
	if q.body != nil {
		if !q.body.has("active") {
			return false, invalid("active", "is missing")
		}
		active := q.body.boolean("active")
		return active, q.body.fault()
	}
	return formSwitch(q.form)
}

func formSwitch(form url.Values) (bool, error) {
	for name := range form {
		if name != "active" {
			return false, invalid("active", "is the only field of this form")
		}
	}
	v := form["active"]
	if len(v) == 1 && v[0] == "true" {
		return true, nil
	}
	if len(v) == 1 && v[0] == "false" {
		return false, nil
	}
	return false, invalid("active", "must be true or false")
}

func (a *API) getSettings(ctx context.Context, q *request) (any, error) {
	return a.providerSettings(ctx, q.by, q.params["type"])
}

func (a *API) getCalls(ctx context.Context, q *request) (any, error) {
	switch open, err := q.one("open"); {
	case err != nil:
		return nil, err
	case open == "true":
		return a.openCalls(ctx, q.by)
	case open != "" && open != "false":
		return nil, invalid("open", "must be true or false")
	}
	list, err := a.svc.CallsState(ctx, q.by)
	return viewStatuses(list), err
}

func (a *API) postCall(ctx context.Context, q *request) (any, error) {
	n := readNewCall(q.body, webconferencing.CallID(q.body.required("id")))
	q.call = n.ID
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, q.by)(a.createCall(ctx, q.by, n))
}

func (a *API) getCall(ctx context.Context, q *request) (any, error) {
	return a.callResult(ctx, q.by)(a.svc.Call(ctx, q.by, q.callID()))
}

func (a *API) patchCall(ctx context.Context, q *request) (any, error) {
	u := readUpdate(q.body)
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	if q.conditional {
		if u.IfVersion != 0 && u.IfVersion != q.ifVersion {
			return nil, invalid("ifVersion", "differs from If-Match")
		}
		u.IfVersion = q.ifVersion
	}
	return a.callResult(ctx, q.by)(a.svc.UpdateCall(ctx, q.by, q.callID(), u))
}

type wayInMethod func(*webconferencing.Service, context.Context, webconferencing.Actor, webconferencing.CallID) (*webconferencing.Admission, error)

// postEnter makes a route's handler of a way into a call.
func (a *API) postEnter(m wayInMethod) func(context.Context, *request) (any, error) {
	return func(ctx context.Context, q *request) (any, error) {
		if err := q.body.fault(); err != nil {
			return nil, err
		}
		return a.enter(ctx, q.by, nil, q.callID(), func(ctx context.Context, by webconferencing.Actor, id webconferencing.CallID) (*webconferencing.Admission, error) {
			return m(a.svc, ctx, by, id)
		})
	}
}

func (a *API) postDecline(ctx context.Context, q *request) (any, error) {
	why := q.body.text("reason")
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, q.by)(a.decline(ctx, q.by, q.callID(), why))
}

func (a *API) deleteParticipant(ctx context.Context, q *request) (any, error) {
	user := webconferencing.UserID(q.params["user"])
	return a.callResult(ctx, q.by)(a.svc.RemoveParticipant(ctx, q.by, q.callID(), user))
}

func (a *API) postRing(ctx context.Context, q *request) (any, error) {
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	user := webconferencing.UserID(q.params["user"])
	return a.callResult(ctx, q.by)(a.ringAgain(ctx, q.by, q.callID(), user))
}

func (a *API) getLiveCalls(ctx context.Context, q *request) (any, error) {
	calls, err := a.svc.LiveCalls(ctx, q.by)
	if err != nil {
		return nil, err
	}
	return a.viewCalls(ctx, q.by, calls)
}

func (a *API) postLeave(ctx context.Context, q *request) (any, error) {
	opts := readSeat(q.body)
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, q.by)(a.leave(ctx, q.by, q.callID(), opts))
}

func (a *API) postHeartbeat(ctx context.Context, q *request) (any, error) {
	opts := readSeat(q.body)
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return none{}, a.heartbeat(ctx, q.by, q.callID(), opts)
}

func (a *API) putParticipants(ctx context.Context, q *request) (any, error) {
	list := q.body.list("participants")
	if list == nil {
		q.body.fail("participants", "is missing")
	}
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, q.by)(a.svc.SetParticipants(ctx, q.by, q.callID(), userIDs(list)))
}

func (a *API) postGuest(ctx context.Context, q *request) (any, error) {
	guest := webconferencing.UserID(q.body.required("guestId"))
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, q.by)(a.svc.AddGuest(ctx, q.by, q.callID(), guest))
}

func (a *API) putInvites(ctx context.Context, q *request) (any, error) {
	invites := readInvites(q.body)
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.callResult(ctx, q.by)(a.svc.SetInvites(ctx, q.by, q.callID(), invites))
}

func (a *API) postInviteCheck(ctx context.Context, q *request) (any, error) {
	invite := q.body.required("inviteId")
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	return a.checkInvite(ctx, q.by, q.callID(), invite)
}

// maxLogBatch is how many log messages one request may bring.
const maxLogBatch = 50

// postLogs takes {"messages":[...]}; each message is what the remote call takes.
// Those before a bad one have been taken when the answer is an error.
func (a *API) postLogs(ctx context.Context, q *request) (any, error) {
	list := q.body.objects("messages")
	if list == nil {
		q.body.fail("messages", "is missing")
	}
	if err := q.body.fault(); err != nil {
		return nil, err
	}
	if len(list) > maxLogBatch {
		return nil, clientStatus(http.StatusRequestEntityTooLarge, "batch_too_large", "at most 50 messages at once")
	}
	for _, item := range list {
		entry := readLogEntry(item)
		if err := item.fault(); err != nil {
			return nil, err
		}
		if err := a.svc.LogClient(ctx, q.by, entry); err != nil {
			return nil, err
		}
	}
	return none{}, nil
}

func (a *API) getOpenAPI(context.Context, *request) (any, error) { return rawJSON(openAPI), nil }

// contextView is what a page needs to start the client.
type contextView struct {
	ContainerName   string            `json:"containerName"`
	SpaceID         *string           `json:"spaceId"`
	RoomTitle       *string           `json:"roomTitle"`
	CometdPath      string            `json:"cometdPath"`
	CometdToken     string            `json:"cometdToken"`
	ProvidersConfig []providerView    `json:"providersConfig"`
	Messages        map[string]string `json:"messages"`
	Lang            string            `json:"lang"`
	User            userView          `json:"user"`
}

func (a *API) getContext(ctx context.Context, q *request) (any, error) {
	values := make(map[string]string, 3)
	for _, name := range []string{"name", "spaceId", "roomTitle", "lang"} {
		v, err := q.one(name)
		if err != nil {
			return nil, err
		}
		if len(v) > 4*maxIDLength {
			return nil, invalid(name, "is longer than 255 characters")
		}
		values[name] = v
	}
	if name := values["name"]; name != "" && name != string(q.by.User) {
		return nil, accessDenied("name must be your own")
	}
	lang := q.language()
	configs, err := a.svc.Providers().Configs(ctx, lang)
	if err != nil {
		return nil, err
	}
	users := a.names.users(ctx, []webconferencing.UserID{q.by.User})
	found, messages := a.messages.lookup(lang)
	v := contextView{
		ContainerName: a.opts.ContainerName, SpaceID: orNil(values["spaceId"]), RoomTitle: orNil(values["roomTitle"]),
		CometdPath: a.opts.CometdPath, CometdToken: a.tokens.issue(q.by.User, time.Now()),
		ProvidersConfig: viewProviders(configs), Messages: messages, Lang: found, User: knownUser(users, q.by.User),
	}
	for i := range v.ProvidersConfig {
		v.ProvidersConfig[i].Module = a.assets.module(v.ProvidersConfig[i].Type)
	}
	return v, nil
}

// language is what the request asks for, by parameter or header.
func (q *request) language() string {
	if v := q.query.Get("lang"); v != "" && len(v) <= maxIDLength {
		return v
	}
	accept, _, _ := strings.Cut(q.Header.Get("Accept-Language"), ",")
	tag, _, _ := strings.Cut(accept, ";")
	if len(tag) > maxIDLength {
		return ""
	}
	return strings.TrimSpace(tag)
}
