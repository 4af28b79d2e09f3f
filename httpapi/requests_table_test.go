package httpapi_test

import "strings"

// goodRequest is a request that must succeed. A check fails if it does not
// return true.
type goodRequest struct {
	user, method, path string
	body               func() any
	check              func(a answer) any
}

// teamRun is what the requests of one call learn from each other's answers.
type teamRun struct {
	invite, seat string
	epoch        float64
}

// goodReads are those that are not about a call.
func goodReads() []goodRequest {
	return []goodRequest{
		{"", "GET", "openapi.json", nil, func(a answer) any { return a.body["openapi"] == "3.1.0" }},
		{"mary", "GET", "context?name=mary&spaceId=s&roomTitle=R&lang=fr-CA", nil, func(a answer) any {
			messages := a.body["messages"].(object)
			configs := a.body["providersConfig"].([]any)
			return a.body["containerName"] == "portal" && a.body["cometdPath"] == "/cometd/cometd" && a.body["spaceId"] == "s" &&
				a.body["roomTitle"] == "R" && messages["webconferencing.cancel"] == "Annuler" && len(configs) == 3 &&
				configs[0].(object)["description"] == "Appels" && configs[0].(object)["module"] == "connector/rtc/main.js" &&
				a.body["cometdToken"] != ""
		}},
		{"mary", "GET", "user/john", nil, func(a answer) any {
			im := a.body["imAccounts"].(object)["skype"].([]any)[0].(object)
			return a.body["title"] == "John Smith" && a.body["firstName"] == "John" && a.body["type"] == "user" && im["id"] == "john.s"
		}},
		{"mary", "GET", "space/product_team", nil, func(a answer) any {
			return a.body["groupId"] == "/spaces/product_team" && len(a.body["members"].(object)) == 3 && a.body["callId"] == nil
		}},
		{"mary", "GET", "space/%2Fspaces%2Fproduct_team", nil, func(a answer) any { return a.body["id"] == "product_team" }},
		{"mary", "GET", "room/team-welcome", nil, func(a answer) any { return a.body["type"] == "chat_room" }},
		{"mary", "GET", "room/other?title=T&members=mary;john", nil, func(a answer) any {
			return a.body["title"] == "T" && len(a.body["members"].(object)) == 2
		}},
		{"mary", "GET", "identities?name=smith", nil, func(a answer) any { return strings.Contains(string(a.raw), "John Smith") }},
		{"root", "GET", "providers/configuration", nil, func(a answer) any { return strings.Count(string(a.raw), `"active"`) == 3 }},
		{"root", "GET", "provider/rtc_plus/configuration", nil, func(a answer) any { return a.body["type"] == "rtc" && a.body["logEnabled"] == true }},
		{"root", "POST", "provider/off/configuration", func() any { return object{"active": true} }, func(a answer) any {
			return a.body["active"] == true && a.body["logEnabled"] == false
		}},
		{"mary", "GET", "provider/rtc/settings", nil, func(a answer) any { return a.body["for"] == "mary" }},
	}
}

// goodCalls are the life of one call, in order.
func goodCalls(run *teamRun) []goodRequest {
	return []goodRequest{
		{"mary", "POST", "calls", func() any { return teamCall("g/product_team") }, func(a answer) any {
			run.invite, _ = a.body["inviteId"].(string)
			return a.body["state"] == "started" && a.body["starter"] == "mary" && len(a.body["participants"].([]any)) == 3 && len(run.invite) == 26
		}},
		{"mary", "GET", "space/product_team", nil, func(a answer) any { return a.body["callId"] == "g/product_team" }},
		{"john", "GET", "calls", nil, func(a answer) any {
			return strings.Contains(string(a.raw), `{"id":"g/product_team","state":"started"}`)
		}},
		{"john", "GET", "calls?open=true", nil, func(a answer) any { return strings.Contains(string(a.raw), `"ring":"ringing"`) }},
		{"john", "GET", "calls/g%2Fproduct_team", nil, func(a answer) any {
			return a.body["id"] == "g/product_team" && a.body["owner"].(object)["title"] == "Product Team"
		}},
		{"john", "HEAD", "calls/g%2Fproduct_team", nil, func(a answer) any { return len(a.raw) == 0 }},
		{"mary", "POST", "calls/g%2Fproduct_team/join", nil, func(a answer) any {
			run.seat, _ = a.body["seat"].(string)
			run.epoch, _ = a.body["epoch"].(float64)
			part := a.body["participants"].([]any)[0].(object)
			return len(run.seat) == 26 && part["state"] == "joined" && part["clientId"] == "m1"
		}},
		{"james", "POST", "calls/g%2Fproduct_team/ringing", nil, func(a answer) any { return strings.Contains(string(a.raw), `"ringingOn":["m1"]`) }},
		{"james", "POST", "calls/g%2Fproduct_team/accept", nil, func(a answer) any { return a.body["seat"] != nil }},
		{"james", "POST", "calls/g%2Fproduct_team/take-over", nil, func(a answer) any { return a.body["seat"] != nil }},
		{"james", "POST", "calls/g%2Fproduct_team/leave", nil, nil},
		{"mary", "POST", "calls/g%2Fproduct_team/participants/james/ring", nil, func(a answer) any { return strings.Contains(string(a.raw), `"ring":"ringing"`) }},
		{"mary", "DELETE", "calls/g%2Fproduct_team/participants/james", nil, func(a answer) any { return len(a.body["participants"].([]any)) == 2 }},
		{"root", "GET", "live-calls", nil, func(a answer) any {
			return strings.Contains(string(a.raw), `"id":"g/product_team"`) && strings.Contains(string(a.raw), `"inviteId":null`)
		}},
		{"mary", "POST", "calls/g%2Fproduct_team/heartbeat", func() any { return object{"seat": run.seat, "epoch": run.epoch} }, func(a answer) any {
			return string(a.raw) == "{}"
		}},
		{"john", "POST", "calls/g%2Fproduct_team/decline", nil, func(a answer) any { return strings.Contains(string(a.raw), `"ring":"declined"`) }},
		{"john", "PATCH", "calls/g%2Fproduct_team", func() any {
			return object{"title": "New", "startDate": "2026-11-22T14:05:38.958Z", "endDate": "2026-11-22T16:05:38+01:00"}
		}, func(a answer) any {
			return a.body["title"] == "New" && a.body["startDate"] == "2026-11-22T14:05:38.958Z" && a.body["endDate"] == "2026-11-22T15:05:38.000Z"
		}},
		{"mary", "POST", "calls/g%2Fproduct_team/guests", func() any { return object{"guestId": "jack"} }, func(a answer) any {
			return strings.Contains(string(a.raw), `"type":"guest"`)
		}},
		{"mary", "PUT", "calls/g%2Fproduct_team/invites", func() any {
			return object{"invites": []object{{"id": "eve", "type": "user"}, {"id": "/spaces/sales_team", "type": "group"}}}
		}, nil},
		{"eve", "POST", "calls/g%2Fproduct_team/invites/check", func() any { return object{"inviteId": run.invite} }, func(a answer) any { return a.body["allowed"] }},
		{"root", "POST", "calls/g%2Fproduct_team/invites/check", func() any { return object{"inviteId": run.invite} }, func(a answer) any { return a.body["allowed"] == false }},
		{"eve", "POST", "calls/g%2Fproduct_team/guests", func() any { return object{"guestId": "eve"} }, nil},
		{"mary", "PUT", "calls/g%2Fproduct_team/participants", func() any { return object{"participants": []string{"mary", "john", "unknown-person"}} },
			func(a answer) any { return strings.Contains(string(a.raw), `"type":"participant"`) }},
		{"mary", "POST", "calls/g%2Fproduct_team/leave", func() any { return object{"seat": run.seat, "epoch": run.epoch} }, func(a answer) any {
			return a.body["state"] == "stopped" && a.body["inviteId"] == nil && a.body["reason"] == "ended"
		}},
		{"john", "POST", "calls/g%2Fproduct_team/start", nil, func(a answer) any { return a.body["epoch"].(float64) > run.epoch }},
		{"john", "POST", "calls/g%2Fproduct_team/stop", func() any { return object{} }, nil},
		{"john", "DELETE", "calls/g%2Fproduct_team", nil, func(a answer) any { return a.body["state"] == "stopped" }},

		{"mary", "GET", "space-event/product_team?participants=jack&spaces=sales_team", nil, func(a answer) any {
			return a.body["type"] == "space_event" && len(a.body["members"].(object)) == 4
		}},
		{"mary", "POST", "logs", func() any {
			return object{"messages": []object{{"data": "hello", "level": "info", "provider": "rtc", "timestamp": "2018-03-21T16:05:39.546Z"}, {"data": object{"message": "x"}}}}
		}, nil},
	}
}

// goodLookingBack are about past calls and, for administrators, about any. They
// come after goodCalls.
func goodLookingBack() []goodRequest {
	return []goodRequest{
		{"john", "GET", "history?limit=1", nil, func(a answer) any {
			e := a.body["entries"].([]any)[0].(object)
			return e["callId"] == "g/product_team" && e["outgoing"] == true && e["group"] == true && a.body["next"] != nil && e["cursor"] == a.body["next"]
		}},
		{"john", "GET", "history/missed", nil, func(a answer) any { return a.body["count"] == 0.0 }},
		{"john", "POST", "history/seen", nil, func(a answer) any { return a.body["count"] == 0.0 }},

		{"mary", "POST", "calls", func() any {
			return object{"id": "p/2", "owner": "mary", "ownerType": "user", "provider": "rtc", "participants": []string{"john"}, "start": true, "ringFor": 20}
		}, func(a answer) any { return a.body["ringFor"] == 20.0 && a.Header.Get("ETag") == `"1"` }},
		{"mary", "POST", "calls/p%2F2/join", nil, nil},
		{"root", "GET", "admin/calls", nil, func(a answer) any {
			c := a.body["calls"].([]any)[0].(object)
			seat := c["seats"].([]any)[0].(object)
			return c["id"] == "p/2" && seat["user"] == "mary" && seat["clientId"] == "m1" && seat["node"] != "" && c["seatsTotal"] == 1.0 &&
				c["ringing"].([]any)[0].(object)["user"] == "john" && a.body["users"].(object)["john"].(object)["title"] == "John Smith" &&
				!strings.Contains(string(a.raw), "inviteId")
		}},
		{"root", "GET", "admin/calls/p%2F2/explanation", nil, func(a answer) any {
			seat := a.body["seats"].([]any)[0].(object)
			return a.body["state"] == "started" && a.body["summary"] != "" && seat["user"] == "mary" && seat["leaseLeft"].(float64) > 20_000 &&
				a.body["ringing"].([]any)[0].(object)["user"] == "john" && len(a.body["deadlines"].([]any)) > 0 && a.body["last"].(object)["eventType"] == "call_joined"
		}},
		{"root", "POST", "admin/calls/p%2F2/end", func() any { return object{"why": "asked on the telephone"} }, func(a answer) any { return a.body["state"] == "stopped" }},
		{"root", "GET", "admin/calls/p%2F2/timeline?limit=2", nil, func(a answer) any {
			events := a.body["events"].([]any)
			last := events[len(events)-1].(object)
			return len(events) == 2 && last["eventType"] == "call_state" && last["state"] == "stopped" && last["actor"] == "root" && a.body["next"] != nil
		}},
		{"mary", "POST", "calls", func() any { return teamCall("g/product_team") }, nil},
		{"john", "POST", "calls/g%2Fproduct_team/decline", nil, nil},
		{"root", "POST", "admin/calls/g%2Fproduct_team/participants/john/ring", nil, func(a answer) any { return strings.Count(string(a.raw), `"ring":"ringing"`) == 2 }},
		{"root", "DELETE", "admin/calls/g%2Fproduct_team/participants/james", nil, func(a answer) any { return len(a.body["participants"].([]any)) == 2 }},
		{"root", "DELETE", "admin/users/john/history", nil, func(a answer) any { return string(a.raw) == "{}" }},
		{"john", "GET", "history", nil, func(a answer) any { return string(a.raw) == `{"entries":[],"next":null}` }},
	}
}
