package httpapi_test

import (
	"slices"
	"strings"
)

// restError is a request that must fail.
type restError struct {
	user, method, path string
	body               any
	status             int
	code, field        string
}

const (
	bad = "CLIENT_ERROR"
	no  = "ACCESS_ERROR"
	nf  = "NOT_FOUND_ERROR"
)

// errorsOfReading are about who asks, and for what.
func errorsOfReading() []restError {
	long := strings.Repeat("x", 256)
	return []restError{
		{"", "GET", "user/john", nil, 401, no, ""},
		{"", "GET", "nothing", nil, 401, no, ""},
		{"", "DELETE", "calls/g%2Fproduct_team", nil, 401, no, ""},
		{"mary", "GET", "nothing", nil, 404, nf, ""},
		{"mary", "GET", "", nil, 404, nf, ""},
		{"mary", "GET", "user/john/more", nil, 404, nf, ""},
		{"mary", "GET", "user/nobody", nil, 404, nf, ""},
		{"mary", "GET", "user/" + long, nil, 400, bad, "id"},
		{"mary", "GET", "space/nothing", nil, 404, nf, ""},
		{"jack", "GET", "space/product_team", nil, 403, no, ""},
		{"eve", "GET", "space-event/product_team?participants=jack", nil, 403, no, ""},
		{"james", "GET", "room/team-welcome?members=james;mary", nil, 403, no, ""},
		{"mary", "GET", "room/unknown", nil, 404, nf, ""},
		{"mary", "GET", "room/unknown?title=a&title=b&members=mary", nil, 400, bad, "title"},
		{"mary", "GET", "identities", nil, 400, bad, "name"},
		{"mary", "GET", "providers/configuration", nil, 403, no, ""},
		{"mary", "GET", "provider/rtc/configuration", nil, 403, no, ""},
		{"mary", "POST", "provider/rtc/configuration", object{"active": false}, 403, no, ""},
		{"root", "GET", "provider/nothing/configuration", nil, 404, nf, ""},
		{"root", "POST", "provider/rtc/configuration", object{}, 400, bad, "active"},
		{"root", "POST", "provider/rtc/configuration", object{"active": "true"}, 400, bad, "active"},
		{"mary", "GET", "provider/nothing/settings", nil, 404, nf, ""},
		{"mary", "GET", "context?name=john", nil, 403, no, ""},
		{"mary", "GET", "context?lang=a&lang=b", nil, 400, bad, "lang"},
		{"mary", "GET", "context?spaceId=%zz", nil, 400, bad, ""},
		{"mary", "GET", "calls?open=perhaps", nil, 400, bad, "open"},

		{"", "GET", "history", nil, 401, no, ""},
		{"mary", "GET", "history?limit=201", nil, 400, bad, "limit"},
		{"mary", "GET", "history?limit=many", nil, 400, bad, "limit"},
		{"mary", "GET", "history?limit=-1", nil, 400, bad, "limit"},
		{"mary", "GET", "history?limit=99999999999", nil, 400, bad, "limit"},
		{"mary", "GET", "history?limit=1&limit=2", nil, 400, bad, "limit"},
		{"mary", "GET", "history?outcome=good", nil, 400, bad, "outcome"},
		{"mary", "GET", "history?cursor=" + strings.Repeat("x", 1021), nil, 400, bad, "cursor"},
		{"mary", "GET", "history?text=" + strings.Repeat("x", 1021), nil, 400, bad, "text"},
		{"mary", "POST", "history/seen", object{"user": "john"}, 400, bad, "user"},
		{"mary", "GET", "admin/calls", nil, 403, no, ""},
		{"mary", "GET", "admin/calls/nothing/timeline", nil, 403, no, ""},
		{"mary", "POST", "admin/calls/nothing/end", nil, 403, no, ""},
		{"mary", "GET", "admin/calls/nothing/explanation", nil, 403, no, ""},
		{"root", "GET", "admin/calls/nothing/explanation", nil, 404, nf, ""},
		{"root", "POST", "admin/calls/nothing/end", object{"why": long}, 400, bad, "why"},
		{"mary", "DELETE", "admin/calls/nothing/participants/john", nil, 403, no, ""},
		{"mary", "POST", "admin/calls/nothing/participants/john/ring", nil, 403, no, ""},
		{"mary", "DELETE", "admin/users/mary/history", nil, 403, no, ""},
		{"root", "GET", "admin/calls?limit=101", nil, 400, bad, "limit"},
		{"root", "GET", "admin/calls/nothing/timeline?limit=1001", nil, 400, bad, "limit"},
		{"root", "GET", "admin/calls/nothing/timeline?cursor=1.2", nil, 400, bad, "cursor"},
		{"root", "GET", "admin/calls/nothing/timeline?cursor=1.2.3.4", nil, 400, bad, "cursor"},
		{"root", "GET", "admin/calls/" + long + "/timeline", nil, 400, bad, "id"},
		{"root", "POST", "admin/calls/nothing/end", nil, 404, nf, ""},
		{"root", "DELETE", "admin/users/" + long + "/history", nil, 400, bad, "user"},
	}
}

// errorsOfCalls are about rights and states.
func errorsOfCalls() []restError {
	return []restError{
		// Calls of others look as if there were none; members without the
		// right are told so.
		{"eve", "GET", "calls/g%2Fproduct_team", nil, 404, nf, ""},
		{"eve", "GET", "calls/nothing", nil, 404, nf, ""},
		{"eve", "PATCH", "calls/g%2Fproduct_team", object{"title": "x"}, 404, nf, ""},
		{"eve", "DELETE", "calls/g%2Fproduct_team", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/start", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/stop", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/accept", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/take-over", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/ringing", nil, 404, nf, ""},
		{"eve", "DELETE", "calls/g%2Fproduct_team/participants/mary", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/participants/mary/ring", nil, 404, nf, ""},
		{"eve", "GET", "live-calls", nil, 403, no, ""},
		{"jack", "DELETE", "calls/g%2Fproduct_team/participants/mary", nil, 403, no, ""},
		{"mary", "POST", "calls/g%2Fproduct_team/decline", object{"reason": "bored"}, 400, bad, "reason"},
		{"mary", "PATCH", "calls/g%2Fproduct_team", object{"title": "x", "ifVersion": 99}, 409, bad, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/join", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/leave", nil, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/decline", nil, 404, nf, ""},
		{"eve", "PUT", "calls/g%2Fproduct_team/participants", object{"participants": []string{"eve"}}, 404, nf, ""},
		{"eve", "PUT", "calls/g%2Fproduct_team/invites", object{"invites": []object{{"id": "eve"}}}, 404, nf, ""},
		{"eve", "POST", "calls/g%2Fproduct_team/guests", object{"guestId": "eve"}, 404, nf, ""},
		{"eve", "POST", "calls", teamCall("g/other"), 403, no, ""},
		{"jack", "POST", "calls/g%2Fproduct_team/stop", nil, 403, no, ""},
		{"jack", "PATCH", "calls/g%2Fproduct_team", object{"title": "x"}, 403, no, ""},
		{"jack", "DELETE", "calls/g%2Fproduct_team", nil, 403, no, ""},
		{"jack", "PUT", "calls/g%2Fproduct_team/participants", object{"participants": []string{"jack"}}, 403, no, ""},

		// Conflicts and what is over.
		{"john", "POST", "calls", teamCall("g/product_team"), 409, bad, ""},
		{"john", "POST", "calls", object{"id": "p/john-mary", "owner": "john", "ownerType": "user", "provider": "rtc", "participants": []string{"mary"}}, 409, bad, ""},
		{"mary", "POST", "calls/g%2Fproduct_team/heartbeat", object{"seat": "gone", "epoch": 1}, 410, nf, ""},
	}
}

// errorsOfArguments are about missing and bad arguments.
func errorsOfArguments() []restError {
	long := strings.Repeat("x", 256)
	return []restError{
		{"mary", "POST", "calls", object{"id": "x"}, 400, bad, "owner"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary"}, 400, bad, "ownerType"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "planet", "provider": "rtc"}, 400, bad, "ownerType"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "participants": []string{"john"}}, 400, bad, "provider"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "smoke", "participants": []string{"john"}}, 400, bad, "provider"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "off", "participants": []string{"john"}}, 400, bad, "provider"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "product_team", "ownerType": "space", "provider": "link"}, 501, bad, "provider"},
		{"mary", "POST", "calls", object{"id": "a//b", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}}, 400, bad, "id"},
		{"mary", "POST", "calls", object{"id": long, "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}}, 400, bad, "id"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": "john;mary"}, 400, bad, "participants"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []any{"john", nil}}, 400, bad, "participants"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "title": long, "participants": []string{"john"}}, 400, bad, "title"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "start": "true", "participants": []string{"john"}}, 400, bad, "start"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "startDate": 17, "participants": []string{"john"}}, 400, bad, "startDate"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "ringFor": 4, "participants": []string{"john"}}, 400, bad, "ringFor"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "ringFor": 1e9, "participants": []string{"john"}}, 400, bad, "ringFor"},
		{"mary", "POST", "calls", object{"id": "x", "owner": "mary", "ownerType": "user", "provider": "rtc", "ringFor": "20", "participants": []string{"john"}}, 400, bad, "ringFor"},
		{"mary", "PATCH", "calls/g%2Fproduct_team", object{"owner": "sales_team"}, 400, bad, "ownerType"},
		{"mary", "POST", "calls/g%2Fproduct_team/guests", object{}, 400, bad, "guestId"},
		{"mary", "POST", "calls/g%2Fproduct_team/heartbeat", object{"epoch": 1}, 400, bad, "seat"},
		{"mary", "POST", "calls/g%2Fproduct_team/heartbeat", object{"epoch": -1, "seat": "x"}, 400, bad, "epoch"},
		{"mary", "PUT", "calls/g%2Fproduct_team/participants", object{}, 400, bad, "participants"},
		{"mary", "PUT", "calls/g%2Fproduct_team/invites", object{}, 400, bad, "invites"},
		{"mary", "PUT", "calls/g%2Fproduct_team/invites", object{"invites": []object{{"id": "x", "type": "planet"}}}, 400, bad, "invites"},
		{"mary", "POST", "calls/g%2Fproduct_team/invites/check", object{}, 400, bad, "inviteId"},
		{"mary", "POST", "calls/g%2Fproduct_team/join", nil, 400, bad, "client"},
		{"mary", "POST", "logs", object{}, 400, bad, "messages"},
		{"mary", "POST", "logs", object{"messages": []object{{"data": "x", "level": "loud"}}}, 400, bad, "level"},
		{"mary", "POST", "logs", object{"messages": slices.Repeat([]object{{"data": "x"}}, 51)}, 413, bad, ""},
	}
}

// errorsOfBodies are about members that the server alone decides about, and
// bodies that are not what they should be.
func errorsOfBodies() []restError {
	return []restError{
		{"mary", "PATCH", "calls/g%2Fproduct_team", object{"title": "x", "state": "stopped"}, 400, bad, "state"},
		{"mary", "PATCH", "calls/g%2Fproduct_team", object{"epoch": 7}, 400, bad, "epoch"},
		{"mary", "PATCH", "calls/g%2Fproduct_team", object{"Title": "wrong case"}, 400, bad, "Title"},
		{"mary", "POST", "calls/g%2Fproduct_team/stop", object{"by": "john"}, 400, bad, "by"},
		{"mary", "POST", "calls/g%2Fproduct_team/guests", object{"guestId": "eve", "kind": "user"}, 400, bad, "kind"},
		{"mary", "PUT", "calls/g%2Fproduct_team/invites", object{"invites": []object{{"id": "x", "admitted": true}}}, 400, bad, "invites"},
		{"mary", "POST", "calls", `{"id":"x","owner":"mary","owner":"john"}`, 400, bad, "body"},
		{"mary", "POST", "calls", `{"id":"x","\u0069d":"y"}`, 400, bad, "body"},
		{"mary", "POST", "calls", `{"id":"x\u0000"}`, 400, bad, "body"},
		{"mary", "POST", "calls", "{\"id\":\"\xff\"}", 400, bad, "body"},
		{"mary", "POST", "calls", `[]`, 400, bad, "body"},
		{"mary", "POST", "calls", ``, 400, bad, "body"},
		{"mary", "POST", "calls", `{`, 400, bad, "body"},
		{"mary", "POST", "calls", `{"a":` + strings.Repeat("[", 1000), 400, bad, "body"},
		{"mary", "POST", "calls", `{"a":"` + strings.Repeat("x", 70_000) + `"}`, 413, bad, ""},
	}
}
