package jitsi_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/jitsi/internal/fakejitsi"
)

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func roomName(g *webconferencing.Grant) string { return g.URL[strings.LastIndex(g.URL, "/")+1:] }

func TestTokenOfOwnServer(t *testing.T) {
	w := newWorld(t, false, nil)
	r := request("g/team", 3, "mary")
	g := w.join(r)
	c := claimsOf(t, g.Token)
	now := w.clock.Now()
	want := map[string]any{
		"iss": "portal", "aud": "jitsi", "sub": "127.0.0.1", "room": roomName(g),
		"nbf": float64(now.Unix() - 10), "exp": float64(now.Unix() + 600),
	}
	for name, value := range want {
		if c[name] != value {
			t.Errorf("%s is %v, want %v", name, c[name], value)
		}
	}
	if !g.Expires.Equal(now.Add(10 * time.Minute)) {
		t.Errorf("expires %v", g.Expires)
	}
	if got := slices.Sorted(maps.Keys(c)); !slices.Equal(got, []string{"aud", "context", "exp", "iss", "nbf", "room", "sub"}) {
		t.Errorf("claims are %q", got)
	}
	user := c["context"].(map[string]any)["user"].(map[string]any)
	if user["name"] != "Mary Williams" || user["avatar"] != "https://portal.example/avatar/mary?v=1" {
		t.Errorf("user is %v", user)
	}
	for _, secret := range []string{"seat-mary", "mary"} {
		if strings.Contains(user["id"].(string), secret) {
			t.Errorf("id %v shows %s", user["id"], secret)
		}
	}
	if _, has := user["affiliation"]; has {
		t.Error("somebody who is no moderator has an affiliation")
	}
	for name, open := range c["context"].(map[string]any)["features"].(map[string]any) {
		if open != false {
			t.Errorf("feature %s is %v", name, open)
		}
	}

	r.Moderator = true
	user = claimsOf(t, w.join(r).Token)["context"].(map[string]any)["user"].(map[string]any)
	if user["affiliation"] != "owner" {
		t.Errorf("the moderator is %v", user)
	}
	if o := w.mustEnter(r); !o.Owner {
		t.Error("the server does not know the moderator")
	}
}

func TestTokenOfJaaS(t *testing.T) {
	w := newWorld(t, true, func(po *jitsi.Options, _ *fakejitsi.Options) { po.Recording = true })
	r := request("g/team", 3, "mary")
	g := w.join(r)
	if !strings.HasPrefix(g.URL, w.server.URL+"/"+jaasApp+"/") || g.Settings["script"] != w.server.URL+"/"+jaasApp+"/external_api.js" {
		t.Errorf("address is %s, script %v", g.URL, g.Settings["script"])
	}
	c := claimsOf(t, g.Token)
	if c["iss"] != "chat" || c["aud"] != "jitsi" || c["sub"] != jaasApp || c["room"] != roomName(g) {
		t.Errorf("claims are %v", c)
	}
	if o := w.mustEnter(r); o.Owner {
		t.Error("everybody is moderator")
	}
	r.Moderator = true
	if o := w.mustEnter(r); !o.Owner {
		t.Error("nobody is moderator")
	}
	features := claimsOf(t, w.join(r).Token)["context"].(map[string]any)["features"].(map[string]any)
	if features["recording"] != true || features["livestreaming"] != false {
		t.Errorf("features of the moderator are %v", features)
	}
}

func TestRoomsTellNothing(t *testing.T) {
	w := newWorld(t, false, nil)
	form := regexp.MustCompile(`^[a-z2-7]{30,}$`)
	seen := make(map[string]string)
	for _, call := range []webconferencing.CallID{"g/team", "p/john-mary", "p/mary-john"} {
		for _, epoch := range []uint64{1, 2, 300} {
			room := roomName(w.join(request(call, epoch, "mary")))
			if !form.MatchString(room) {
				t.Errorf("room %q", room)
			}
			for _, word := range []string{"mary", "john", "team"} {
				if strings.Contains(room, word) {
					t.Errorf("room %q shows %s", room, word)
				}
			}
			if other, twice := seen[room]; twice {
				t.Errorf("%s and %s/%d share a room", other, call, epoch)
			}
			seen[room] = string(call)
			if again := roomName(w.join(request(call, epoch, "john"))); again != room {
				t.Errorf("another person of the same run comes to %q", again)
			}
		}
	}
	other, err := jitsi.New("https://meet.example.org", []byte("another secret, of at least 32 bytes"), nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := other.Join(t.Context(), request("g/team", 1, "mary"))
	if err != nil {
		t.Fatal(err)
	}
	if seen[roomName(g)] != "" {
		t.Error("rooms do not depend on the secret")
	}
	if _, ours := w.provider.ParseURL(w.server.URL + "/" + roomName(g)); ours {
		t.Error("a foreign room is taken for one of ours")
	}
}

func TestStableRooms(t *testing.T) {
	w := newWorld(t, false, func(po *jitsi.Options, _ *fakejitsi.Options) { po.StableRooms = true })
	if a, b := w.join(request("g/team", 1, "mary")), w.join(request("g/team", 2, "john")); a.URL != b.URL {
		t.Errorf("two runs have %s and %s", a.URL, b.URL)
	}
}

func TestTokensAreNarrow(t *testing.T) {
	w := newWorld(t, false, nil)
	g := w.join(request("g/team", 1, "mary"))
	other := w.join(request("g/team", 2, "mary"))
	enter := func(g *webconferencing.Grant, token string) error {
		_, err := w.fake.Enter(strings.TrimPrefix(g.URL, w.server.URL), token, "")
		return err
	}
	if err := enter(g, g.Token); err != nil {
		t.Fatal(err)
	}
	if enter(other, g.Token) == nil {
		t.Error("the token of one run opens another one's room")
	}
	if enter(g, "") == nil {
		t.Error("no token is needed")
	}
	head, rest, _ := strings.Cut(g.Token, ".")
	if enter(g, head+"."+rest[:len(rest)-4]+"AAAA") == nil {
		t.Error("a wrong signature is accepted")
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	body, _, _ := strings.Cut(rest, ".")
	if enter(g, none+"."+body+".") == nil {
		t.Error("alg none is accepted")
	}
	w.clock.move(10*time.Minute + time.Second)
	if enter(g, g.Token) == nil {
		t.Error("a token is good for ever")
	}
}

func TestPeopleWithoutName(t *testing.T) {
	for name, change := range map[string]func(*jitsi.Options, *webconferencing.JoinRequest){
		"guest":        func(_ *jitsi.Options, r *webconferencing.JoinRequest) { r.User = nil },
		"hidden":       func(o *jitsi.Options, _ *webconferencing.JoinRequest) { o.HideNames = true },
		"bad avatar":   func(_ *jitsi.Options, r *webconferencing.JoinRequest) { r.User.AvatarLink = "javascript:alert(1)" },
		"local avatar": func(_ *jitsi.Options, r *webconferencing.JoinRequest) { r.User.AvatarLink = "/avatar/mary" },
		"long name": func(_ *jitsi.Options, r *webconferencing.JoinRequest) {
			r.User.FirstName = strings.Repeat("é", 10_000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("g/team", 1, "mary")
			w := newWorld(t, false, func(po *jitsi.Options, _ *fakejitsi.Options) { change(po, &r) })
			g := w.join(r)
			if _, err := w.enter(g); err != nil {
				t.Error(err) // the fake breaks on nulls, as the real one does
			}
			user := claimsOf(t, g.Token)["context"].(map[string]any)["user"].(map[string]any)
			if strings.Contains(name, "avatar") && user["avatar"] != nil {
				t.Errorf("avatar is %v", user["avatar"])
			}
			if (name == "guest" || name == "hidden") && (user["name"] != nil || g.Settings["name"] != "") {
				t.Errorf("name is %v, %v", user["name"], g.Settings["name"])
			}
			if len(g.Token) > 4000 {
				t.Errorf("the token has %d bytes", len(g.Token))
			}
		})
	}
}

func TestServerWithoutTokens(t *testing.T) {
	w := newWorld(t, false, func(po *jitsi.Options, fo *fakejitsi.Options) {
		po.Token, po.Tenant = nil, "school"
		fo.AppID, fo.Secret = "", ""
	})
	g := w.join(request("g/team", 1, "mary"))
	if g.Token != "" || !g.Expires.IsZero() || !strings.HasPrefix(g.URL, w.server.URL+"/school/") {
		t.Errorf("grant is %+v", g)
	}
	if _, err := w.enter(g); err != nil {
		t.Error(err)
	}
}

func TestParseURL(t *testing.T) {
	w := newWorld(t, false, nil)
	g := w.join(request("g/team", 1, "mary"))
	room := roomName(g)
	for link, ours := range map[string]bool{
		g.URL: true, g.URL + "?jwt=x": true, g.URL + "#config.a=1": true, w.server.URL + "/" + strings.ToUpper(room): true,
		w.server.URL + "/": false, w.server.URL + "/lunch": false, "https://evil.example/" + room: false, "": false,
		g.URL + "/x": false, w.server.URL + "/" + strings.Repeat("a", 5000): false,
	} {
		got, ok := w.provider.ParseURL(link)
		if ok != ours || ok && got != room {
			t.Errorf("%s: %q, %v", link, got, ok)
		}
	}
	if u, err := url.Parse(g.URL); err != nil || u.RawQuery != "" {
		t.Errorf("the address %s has the token in it (%v)", g.URL, err)
	}
}
