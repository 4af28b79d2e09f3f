package jitsi_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
)

// bearer makes a token for webhooks from a header and claims in JSON.
func bearer(secret, header, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (w *world) webhook(method, path, authorization, body string) (*webconferencing.WebhookReply, error) {
	return w.provider.Webhook(w.t.Context(), webconferencing.WebhookRequest{
		Method: method, Path: path, Header: map[string][]string{"Authorization": {authorization}}, Body: []byte(body),
	})
}

func TestWebhooksAreAuthentic(t *testing.T) {
	w := newWorld(t, false, nil)
	id := claimsOf(t, w.join(request("g/team", 1, "mary")).Token)["context"].(map[string]any)["user"].(map[string]any)["id"]
	now := w.clock.Now().Unix()
	body := fmt.Sprintf(`{"event_name":"muc-occupant-left","occupant":{"occupant_jid":"a@b/c","id":%q,"left_at":%d}}`, id, now)
	const hs = `{"alg":"HS256","typ":"JWT"}`
	good := fmt.Sprintf(`{"aud":"webconferencing","exp":%d}`, now+60)
	for name, test := range map[string]struct {
		authorization string
		good          bool
	}{
		"secret":             {"Bearer " + hookSecret, true},
		"token":              {"Bearer " + bearer(hookSecret, hs, good), true},
		"token for several":  {"Bearer " + bearer(hookSecret, hs, fmt.Sprintf(`{"aud":["x","webconferencing"],"exp":%d,"nbf":%d}`, now+60, now)), true},
		"nothing":            {"", false},
		"only Bearer":        {"Bearer ", false},
		"secret alone":       {hookSecret, false},
		"Basic":              {"Basic " + hookSecret, false},
		"wrong secret":       {"Bearer not the secret at all", false},
		"prefix":             {"Bearer " + hookSecret[:10], false},
		"longer":             {"Bearer " + hookSecret + "x", false},
		"wrong signature":    {"Bearer " + bearer("another secret entirely", hs, good), false},
		"changed signature":  {"Bearer " + bearer(hookSecret, hs, good) + "A", false},
		"alg none":           {"Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(good)) + ".", false},
		"alg none signed":    {"Bearer " + bearer(hookSecret, `{"alg":"none"}`, good), false},
		"alg RS256":          {"Bearer " + bearer(hookSecret, `{"alg":"RS256"}`, good), false},
		"wrong audience":     {"Bearer " + bearer(hookSecret, hs, fmt.Sprintf(`{"aud":"jitsi","exp":%d}`, now+60)), false},
		"null audience":      {"Bearer " + bearer(hookSecret, hs, fmt.Sprintf(`{"aud":null,"exp":%d}`, now+60)), false},
		"no audience":        {"Bearer " + bearer(hookSecret, hs, fmt.Sprintf(`{"exp":%d}`, now+60)), false},
		"expired":            {"Bearer " + bearer(hookSecret, hs, fmt.Sprintf(`{"aud":"webconferencing","exp":%d}`, now-60)), false},
		"never expires":      {"Bearer " + bearer(hookSecret, hs, `{"aud":"webconferencing"}`), false},
		"null exp":           {"Bearer " + bearer(hookSecret, hs, `{"aud":"webconferencing","exp":null}`), false},
		"expires in a year":  {"Bearer " + bearer(hookSecret, hs, fmt.Sprintf(`{"aud":"webconferencing","exp":%d}`, now+365*86400)), false},
		"expires at the end": {"Bearer " + bearer(hookSecret, hs, `{"aud":"webconferencing","exp":1e300}`), false},
		"not yet":            {"Bearer " + bearer(hookSecret, hs, fmt.Sprintf(`{"aud":"webconferencing","exp":%d,"nbf":%d}`, now+60, now+50)), false},
		"endless":            {"Bearer " + strings.Repeat("a.", 100_000), false},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := w.webhook(http.MethodPost, "events/occupant/left", test.authorization, body)
			if !test.good {
				if webconferencing.CodeOf(err) != webconferencing.CodeDenied || reply != nil {
					t.Errorf("reply %v, error %v", reply, err)
				}
				return
			}
			if err != nil || len(reply.Evidence) != 1 {
				t.Errorf("reply %v, error %v", reply, err)
			}
		})
	}
}

func TestWebhooksWithoutSecretAreRefused(t *testing.T) {
	w := newWorld(t, false, func(po *jitsi.Options, _ *fakejitsi.Options) { po.WebhookSecret = "" })
	for _, authorization := range []string{"", "Bearer ", "Bearer x", "Bearer " + bearer("", `{"alg":"HS256"}`, `{}`)} {
		if _, err := w.webhook(http.MethodPost, "events/occupant/left", authorization, "{}"); webconferencing.CodeOf(err) != webconferencing.CodeDenied {
			t.Errorf("%q: %v", authorization, err)
		}
	}
}

func TestHostileBodies(t *testing.T) {
	w := newWorld(t, false, nil)
	id := claimsOf(t, w.join(request("g/team", 1, "mary")).Token)["context"].(map[string]any)["user"].(map[string]any)["id"].(string)
	now := w.clock.Now().Unix()
	for name, test := range map[string]struct {
		body      string
		malformed bool
	}{
		"empty":            {"", true},
		"no JSON":          {"room=x", true},
		"a list":           {"[]", true},
		"null":             {"null", false},
		"no name":          {"{}", false},
		"unknown name":     {`{"event_name":"muc-lunch"}`, false},
		"number as name":   {`{"event_name":7}`, false},
		"null occupant":    {`{"event_name":"muc-occupant-left","occupant":null}`, false},
		"occupant a text":  {`{"event_name":"muc-occupant-left","occupant":"x"}`, true},
		"null claims":      {`{"event_name":"muc-occupant-left","occupant":{"occupant_jid":"a@b/c","id":null,"name":null,"email":null,"left_at":null}}`, false},
		"numbers as texts": {`{"event_name":"muc-occupant-left","occupant":{"occupant_jid":5,"id":{},"left_at":"yesterday"}}`, false},
		"foreign id":       {`{"event_name":"muc-occupant-left","occupant":{"occupant_jid":"a@b/c","id":"mary"}}`, false},
		"changed id":       {fmt.Sprintf(`{"event_name":"muc-occupant-left","occupant":{"occupant_jid":"a@b/c","id":%q}}`, id[:len(id)-2]+"AA"), false},
		"no connection":    {fmt.Sprintf(`{"event_name":"muc-occupant-left","occupant":{"id":%q}}`, id), false},
		"too old":          {fmt.Sprintf(`{"event_name":"muc-occupant-left","occupant":{"occupant_jid":"a@b/c","id":%q,"left_at":%d}}`, id, now-25*3600), false},
		"of the future":    {fmt.Sprintf(`{"event_name":"muc-occupant-left","occupant":{"occupant_jid":"a@b/c","id":%q,"left_at":%d}}`, id, now+3600), false},
		"endless time":     {`{"event_name":"muc-room-destroyed","destroyed_at":1e400,"all_occupants":[]}`, false},
		"null list":        {`{"event_name":"muc-room-destroyed","all_occupants":null}`, false},
		"list of nulls":    {`{"event_name":"muc-room-destroyed","all_occupants":[null,null]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := w.webhook(http.MethodPost, "events/occupant/left", "Bearer "+hookSecret, test.body)
			if test.malformed {
				if webconferencing.CodeOf(err) != webconferencing.CodeInvalid {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || len(reply.Evidence) != 0 {
				t.Errorf("reply %+v, error %v", reply, err)
			}
		})
	}
	for _, path := range []string{"", "jaas", "events", "../events/x", "conference2"} {
		if _, err := w.webhook(http.MethodPost, path, "Bearer "+hookSecret, "{}"); err == nil {
			t.Errorf("there is a webhook at %q", path)
		}
	}
	if _, err := w.webhook(http.MethodGet, "events/occupant/left", "Bearer "+hookSecret, "{}"); webconferencing.CodeOf(err) != webconferencing.CodeInvalid {
		t.Errorf("GET: %v", err)
	}
}

// told is evidence without what differs from run to run.
func told(list []webconferencing.Evidence) string {
	var words []string
	for _, e := range list {
		words = append(words, fmt.Sprintf("%s %s/%d %s %s", e.Type, e.Call, e.Epoch, e.User, e.Seat))
	}
	return strings.Join(words, ", ")
}

func TestEvidence(t *testing.T) {
	const in, out = "joined g/team/4 mary seat-mary", "left g/team/4 mary seat-mary"
	for name, test := range map[string]struct {
		knobs fakejitsi.Knobs
		jaas  bool
		want  string
	}{
		// Leaving is told twice: once more when the room is gone.
		"own server":   {want: in + ", " + out + ", " + out},
		"JaaS":         {jaas: true, want: in + ", " + out},
		"doubled":      {knobs: fakejitsi.Knobs{Doubled: true}, want: in + ", " + in + ", " + out + ", " + out + ", " + out + ", " + out},
		"lost":         {knobs: fakejitsi.Knobs{Lost: true}},
		"null claims":  {knobs: fakejitsi.Knobs{NullClaims: true}},
		"wrong secret": {knobs: fakejitsi.Knobs{WrongSecret: true}},
		"JaaS forged":  {jaas: true, knobs: fakejitsi.Knobs{WrongSecret: true}},
		"late":         {knobs: fakejitsi.Knobs{Late: 5 * time.Millisecond}, want: in + ", " + out + ", " + out},
		"swapped":      {knobs: fakejitsi.Knobs{SwapOrder: true}, want: out + ", " + in + ", " + out},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.jaas, nil)
			w.fake.Turn(test.knobs)
			o := w.mustEnter(request("g/team", 4, "mary"))
			w.clock.move(time.Minute)
			w.fake.Leave(o)
			seen := w.seen()
			if got := told(seen); got != test.want {
				t.Errorf("told %s, want %s", got, test.want)
			}
			keys := make(map[string]string)
			for _, e := range seen {
				what := string(e.Type) + e.Connection
				if e.Connection == "" || strings.Contains(e.Connection, o.JID[:20]) || len(e.Key) > 200 || e.Key == "" || keys[what] != "" && keys[what] != e.Key && !test.jaas {
					t.Errorf("evidence %+v", e)
				}
				keys[what] = e.Key
			}
			if test.knobs.WrongSecret && w.refused == 0 {
				t.Error("nothing was refused")
			}
		})
	}
}

func TestReplayedWebhooks(t *testing.T) {
	w := newWorld(t, false, nil)
	w.fake.Leave(w.mustEnter(request("g/team", 4, "mary")))
	before := w.seen()
	for _, status := range w.fake.Replay("events/") {
		if status != http.StatusOK {
			t.Errorf("a repeat is answered %d, so the server tries for ever", status)
		}
	}
	keys := make(map[string]bool)
	for _, e := range before {
		keys[e.Key] = true
	}
	after := w.seen()
	for _, e := range after[len(before):] {
		if !keys[e.Key] {
			t.Errorf("a repeat has a new key: %+v", e)
		}
	}
	// The library forgets keys after a day.
	w.clock.move(25 * time.Hour)
	w.fake.Replay("events/")
	if again := w.seen(); len(again) != len(after) {
		t.Errorf("events of yesterday brought %s", told(again[len(after):]))
	}
}

func TestReconnectIsAnotherConnection(t *testing.T) {
	w := newWorld(t, false, nil)
	r := request("g/team", 4, "mary")
	first := w.mustEnter(r)
	w.mustEnter(r)
	w.fake.Leave(first)
	seen := w.seen()
	if got, want := told(seen), "joined g/team/4 mary seat-mary, joined g/team/4 mary seat-mary, left g/team/4 mary seat-mary"; got != want {
		t.Fatalf("told %s, want %s", got, want)
	}
	if seen[0].Connection != seen[2].Connection || seen[0].Connection == seen[1].Connection {
		t.Errorf("connections are %q, %q and %q", seen[0].Connection, seen[1].Connection, seen[2].Connection)
	}
}

func TestReservations(t *testing.T) {
	w := newWorld(t, false, func(po *jitsi.Options, fo *fakejitsi.Options) {
		fo.Reservations = true
		po.MaxDuration, po.MaxOccupants, po.Lobby = time.Hour, 25, true
	})
	o := w.mustEnter(request("g/team", 4, "mary"))

	// An empty room is no evidence: its people may be about to come back.
	w.fake.Leave(o)
	w.mustSee(webconferencing.EvidenceEnded, 0)

	// One that was closed when its time was over is.
	w.mustEnter(request("g/team", 4, "mary"))
	w.clock.move(time.Hour)
	w.fake.End(w.fake.Rooms()[0])
	w.mustSee(webconferencing.EvidenceEnded, 1)

	// A server that forgot asks again and gets the same answer.
	room := roomName(w.join(request("g/team", 4, "mary")))
	form := url.Values{"name": {room + "@conference.meet"}, "start_time": {w.clock.Now().Format("2006-01-02T15:04:05.000Z07:00")}}.Encode()
	reply, err := w.webhook(http.MethodPost, "conference", "Bearer "+hookSecret, form)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		ID, Name     string
		Duration     int
		MaxOccupants int `json:"max_occupants"`
		Lobby        bool
	}
	if err := json.Unmarshal(reply.Body, &c); err != nil || c.Name != room || c.Duration != 3600 || c.MaxOccupants != 25 || !c.Lobby {
		t.Errorf("answer %s, %v", reply.Body, err)
	}
	again, err := w.webhook(http.MethodGet, "conference/"+c.ID, "Bearer "+hookSecret, "")
	if err != nil || string(again.Body) != string(reply.Body) {
		t.Errorf("GET says %s, %v", again.Body, err)
	}
}

func (w *world) mustSee(typ webconferencing.EvidenceType, want int) {
	w.t.Helper()
	n := 0
	for _, e := range w.seen() {
		if e.Type == typ {
			n++
		}
	}
	if n != want {
		w.t.Errorf("%d times %s, want %d", n, typ, want)
	}
}

func TestReservationsKeepForeignRoomsClosed(t *testing.T) {
	w := newWorld(t, false, func(po *jitsi.Options, fo *fakejitsi.Options) {
		po.Token = nil
		fo.AppID, fo.Secret, fo.Reservations = "", "", true
	})
	for _, room := range []string{"lunch", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", strings.Repeat("a", 5000)} {
		if _, err := w.fake.Enter(room, "", "Mallory"); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("room %.20q: %v", room, err)
		}
	}
	if _, err := w.enter(w.join(request("g/team", 4, "mary"))); err != nil {
		t.Error(err)
	}
	w.fake.Turn(fakejitsi.Knobs{WrongSecret: true})
	if _, err := w.enter(w.join(request("g/other", 4, "mary"))); err == nil {
		t.Error("a forged reservation was confirmed")
	}
	for _, id := range []string{"lunch-1800000000", "x", "-1", roomName(w.join(request("g/team", 4, "mary"))) + "-99999999999999999999", roomName(w.join(request("g/team", 4, "mary")))} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			reply, err := w.webhook(method, "conference/"+id, "Bearer "+hookSecret, "")
			if err != nil || reply.Status != http.StatusNotFound || len(reply.Evidence) > 0 {
				t.Errorf("%s %.30s: %+v, %v", method, id, reply, err)
			}
		}
	}
}

func TestJaaSAccount(t *testing.T) {
	w := newWorld(t, true, nil)
	body := func(app, typ, data string) string {
		return fmt.Sprintf(`{"idempotencyKey":"k","appId":%q,"eventType":%q,"timestamp":%d,"data":%s}`, app, typ, w.clock.Now().UnixMilli(), data)
	}
	if _, err := w.webhook(http.MethodPost, "jaas", hookSecret, body("vpaas-magic-cookie-other", "PARTICIPANT_LEFT", "{}")); webconferencing.CodeOf(err) != webconferencing.CodeDenied {
		t.Errorf("another account: %v", err)
	}
	for _, data := range []string{"null", "[]", "7", `{"id":null,"participantJid":null}`, "{}"} {
		reply, err := w.webhook(http.MethodPost, "jaas", hookSecret, body(jaasApp, "PARTICIPANT_LEFT", data))
		if err != nil || len(reply.Evidence) > 0 {
			t.Errorf("data %s: %+v, %v", data, reply, err)
		}
	}
	if reply, err := w.webhook(http.MethodPost, "jaas", hookSecret, body(jaasApp, "RECORDING_UPLOADED", `{"id":["x"]}`)); err != nil || len(reply.Evidence) > 0 {
		t.Errorf("another event: %+v, %v", reply, err)
	}
}
