package jitsi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
)

func fuzzProvider(f *testing.F) *jitsi.Provider {
	f.Helper()
	p, err := jitsi.New("https://meet.example.org", roomSecret, &jitsi.Options{
		Token: &jitsi.Token{AppID: "portal", Secret: appSecret}, WebhookSecret: hookSecret,
	})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// FuzzWebhook sends anything: without the secret nothing is believed, and with
// it nothing that no token of ours said.
func FuzzWebhook(f *testing.F) {
	f.Add("POST", "events/occupant/left", "Bearer "+hookSecret, `{"event_name":"muc-occupant-left","occupant":{"occupant_jid":"a@b/c","id":"x","left_at":1}}`)
	f.Add("POST", "events/room/destroyed", "Bearer "+hookSecret, `{"event_name":"muc-room-destroyed","all_occupants":[{"id":null}]}`)
	f.Add("POST", "conference", "Bearer "+hookSecret, "name=aaaaaaaa&start_time=2026-01-01T00:00:00.000Z")
	f.Add("DELETE", "conference/aaaa-1800000000", "Bearer "+hookSecret, "")
	f.Add("POST", "jaas", hookSecret, `{"eventType":"PARTICIPANT_LEFT","data":{"id":"x"}}`)
	f.Add("POST", "events", "Bearer eyJhbGciOiJub25lIn0.e30.", "{}")
	p := fuzzProvider(f)
	f.Fuzz(func(t *testing.T, method, path, authorization, body string) {
		reply, err := p.Webhook(t.Context(), webconferencing.WebhookRequest{
			Method: method, Path: path, Header: map[string][]string{"Authorization": {authorization}}, Body: []byte(body),
		})
		switch {
		case err != nil:
			if reply != nil || webconferencing.CodeOf(err) == webconferencing.CodeInternal {
				t.Errorf("reply %v, error %v", reply, err)
			}
		case authorization != "Bearer "+hookSecret:
			t.Errorf("believed %q", authorization)
		case len(reply.Evidence) > 0:
			t.Errorf("believed %q: %+v", body, reply.Evidence)
		}
	})
}

// FuzzNames takes calls, people and seats through a token and back through a
// webhook, and through the room's address.
func FuzzNames(f *testing.F) {
	f.Add("g/product_team", "mary", "seat", uint64(1))
	f.Add("p/john-mary", "", "", uint64(1<<63))
	f.Add("\x00", "مريم", strings.Repeat("s", 255), uint64(0))
	p := fuzzProvider(f)
	f.Fuzz(func(t *testing.T, call, user, seat string, epoch uint64) {
		if call == "" || len(call) > 255 || len(user) > 255 || len(seat) > 255 {
			return
		}
		g, err := p.Join(t.Context(), webconferencing.JoinRequest{
			Call:  &webconferencing.Call{ID: webconferencing.CallID(call), Epoch: epoch},
			Actor: webconferencing.Actor{User: webconferencing.UserID(user)},
			Seat:  webconferencing.SeatRef{Call: webconferencing.CallID(call), Epoch: epoch, Seat: webconferencing.SeatID(seat)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ours := p.ParseURL(g.URL); !ours {
			t.Errorf("%s is not recognised", g.URL)
		}
		var claims struct {
			Context struct{ User struct{ ID string } }
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(g.Token, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{
			"event_name": "muc-occupant-left",
			"occupant":   map[string]any{"occupant_jid": "a@b/c", "id": claims.Context.User.ID, "left_at": time.Now().Unix()},
		})
		if err != nil {
			t.Fatal(err)
		}
		header := map[string][]string{"Authorization": {"Bearer " + hookSecret}}
		reply, err := p.Webhook(t.Context(), webconferencing.WebhookRequest{Method: "POST", Path: "events/occupant/left", Header: header, Body: body})
		if err != nil || len(reply.Evidence) != 1 {
			t.Fatalf("reply %v, error %v", reply, err)
		}
		if e := reply.Evidence[0]; string(e.Call) != call || string(e.User) != user || string(e.Seat) != seat || e.Epoch != epoch {
			t.Errorf("evidence is %+v", e)
		}
		form := url.Values{"name": {g.URL[strings.LastIndex(g.URL, "/")+1:]}}.Encode()
		if reply, err = p.Webhook(t.Context(), webconferencing.WebhookRequest{Method: "POST", Path: "conference", Header: header, Body: []byte(form)}); err != nil || reply.Status != 200 {
			t.Errorf("the room is not known: %v, %v", reply, err)
		}
	})
}
