package httpapi

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/internal/wire"
)

// readEverything asks for all that commands and bodies may hold.
func readEverything(a *arguments) {
	readNewCall(a, "x")
	readUpdate(a)
	readSeat(a)
	readInvites(a)
	readLogEntry(a)
	q := readHistoryQuery(a)
	_ = checkHistoryQuery(&q)
	_, _, _ = page(a, liveDefault, liveMost)
	if info := a.object("info"); info != nil {
		readUpdate(info)
	}
	for _, item := range a.objects("messages") {
		readLogEntry(item)
	}
}

// Whatever comes, reading it does not panic, and a fault is one for the client
// that names a field.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{
		`{"id":"x","owner":"a","ownerType":"user","provider":"p","participants":"a;b","start":"true","startDate":1511359538958}`,
		`{"info":"{\"title\":1}","participants":["a",1,null],"invites":[{"id":"*","type":"group"}],"epoch":"7","seat":"s"}`,
		`{"messages":[{"data":{"message":"x"},"level":"info","timestamp":"2018-03-21T16:05:39.546Z"}]}`,
		`{"cursor":"1.2.3","limit":"20","outcome":"missed","with":7,"text":"x","upTo":"y","why":"z","ringFor":"90","ref":"r"}`, `{"limit":-1,"ringFor":1e99}`,
		`"{\"id\":1}"`, `[]`, `null`, `{"a":1e999}`, `{"startDate":-1e15,"endDate":"0000-01-01"}`, `{"startDate":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range []func() (*arguments, error){
			func() (*arguments, error) { return lenientArguments(body) },
			func() (*arguments, error) { return strictArguments(body) },
		} {
			args, err := read()
			if err == nil {
				readEverything(args)
				err = args.fault()
			}
			var e *webconferencing.Error
			if err != nil && (!errors.As(err, &e) || e.Code != webconferencing.CodeInvalid || e.Field == "" || len(e.Field) > maxIDLength || !utf8.ValidString(e.Message)) {
				t.Fatalf("%q: %v", body, err)
			}
			if raw := (errorView{Message: "x"}).json(); !json.Valid(raw) {
				t.Fatal(raw)
			}
		}
	})
}

// Data that is accepted comes out as the same object, with the true sender and
// without the token.
func FuzzCallData(f *testing.F) {
	f.Add([]byte(`{"a":1,"exoId":"x","exoToken":"t"}`), "mary", "c1")
	f.Add([]byte(`{"exoToken":{"deep":[1]},"":null,"\u0065xoToken":1}`), "\"", "</script>")
	f.Fuzz(func(t *testing.T, raw []byte, user, client string) {
		data, _, err := cleanData(raw)
		if err != nil {
			return
		}
		if !utf8.ValidString(user) || !utf8.ValidString(client) {
			return // never get this far
		}
		stamped, err := stampData(&webconferencing.Event{Data: data, Actor: webconferencing.UserID(user), Client: webconferencing.ClientID(client)})
		if err != nil {
			t.Fatal(err)
		}
		var in, out map[string]json.RawMessage
		if json.Unmarshal(raw, &in) != nil || json.Unmarshal(stamped, &out) != nil {
			t.Fatalf("%q became %q", raw, stamped)
		}
		var gotUser, gotClient string
		if json.Unmarshal(out["exoId"], &gotUser) != nil || json.Unmarshal(out["exoClientId"], &gotClient) != nil || gotUser != user || gotClient != client {
			t.Fatalf("sender is %s %s, want %q %q", out["exoId"], out["exoClientId"], user, client)
		}
		if _, ok := out["exoToken"]; ok {
			t.Fatalf("the token is still in %s", stamped)
		}
		for name, v := range in {
			if !isCredential(name) && string(out[name]) != string(v) {
				t.Fatalf("member %q is %s, want %s", name, out[name], v)
			}
		}
	})
}

// No text but the one that was issued is a token.
func FuzzToken(f *testing.F) {
	signer := &tokens{key: []byte(strings.Repeat("k", 32)), ttl: time.Hour}
	now := time.Unix(1_800_000_000, 0)
	good := signer.issue("mary", now)
	f.Add(good)
	f.Add("1.." + good)
	f.Add(good[:len(good)-1])
	f.Add(strings.ToUpper(good))
	f.Fuzz(func(t *testing.T, s string) {
		u, err := signer.check(s, now)
		if (err == nil) != (s == good) {
			t.Fatalf("%q gives %v, %v", s, u, err)
		}
	})
}

func TestTokens(t *testing.T) {
	signer := &tokens{key: []byte(strings.Repeat("k", 32)), ttl: time.Hour}
	now := time.Unix(1_800_000_000, 0)
	for _, user := range []webconferencing.UserID{"mary", "a", "ünïcode;.\x00", webconferencing.UserID(strings.Repeat("x", 255))} {
		token := signer.issue(user, now)
		u, err := signer.check(token, now.Add(time.Hour-time.Second))
		if err != nil || u.user != user || !u.issued.Equal(now) || !u.expires.Equal(now.Add(time.Hour)) {
			t.Errorf("%q: %+v %v", user, u, err)
		}
		if _, err := signer.check(token, now.Add(time.Hour)); err == nil {
			t.Error("an expired token counts")
		}
		for i := range len(token) {
			for _, c := range []byte{token[i] ^ 1, 'A', '.'} {
				bad := token[:i] + string(c) + token[i+1:]
				if _, err := signer.check(bad, now); err == nil && bad != token {
					t.Fatalf("accepted %q for %q", bad, token)
				}
			}
		}
		other := &tokens{key: []byte(strings.Repeat("j", 32)), ttl: time.Hour}
		if _, err := other.check(token, now); err == nil {
			t.Error("another key's token counts")
		}
	}
}

func TestTimes(t *testing.T) {
	const want = "2017-11-22T14:05:38.958Z"
	for _, tc := range []struct {
		raw     string
		lenient bool
		want    string
	}{
		{`"2017-11-22T14:05:38.958Z"`, false, want}, {`"2017-11-22T15:05:38.958+01:00"`, false, want}, {`"2017-11-22T15:05:38.958+0100"`, false, want},
		{`"2017-11-22T14:05:38.9580001Z"`, false, want}, {`1511359538958`, true, want}, {`"1511359538958"`, true, want}, {`1.511359538958e12`, true, want},
		{`1511359538958`, false, ""}, {`"1511359538958"`, false, ""}, {`"soon"`, true, ""}, {`1e999`, true, ""}, {`true`, true, ""}, {`"NaN"`, true, ""},
		{`"99999-01-01T00:00:00Z"`, true, ""}, {`{}`, true, ""}, {`[]`, true, ""}, {`"0001-01-01T00:00:00Z"`, false, ""},
	} {
		a := &arguments{obj: wire.Object{{Name: "t", Value: json.RawMessage(tc.raw)}}, lenient: tc.lenient}
		got := a.instant("t")
		if tc.want == "" {
			if a.err == nil {
				t.Errorf("%s (lenient %v) is %v", tc.raw, tc.lenient, got)
			}
			continue
		}
		raw, err := wireTime(got).MarshalJSON()
		if a.err != nil || err != nil || string(raw) != `"`+tc.want+`"` {
			t.Errorf("%s is %s, %v", tc.raw, raw, a.err)
		}
	}
}

func TestLimiter(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(Rate{PerSecond: 2, Burst: 3})
	for range 3 {
		if _, ok := l.allow("a", now); !ok {
			t.Fatal("burst refused")
		}
	}
	if wait, ok := l.allow("a", now); ok || wait != 500*time.Millisecond {
		t.Errorf("got %v, %v", wait, ok)
	}
	if _, ok := l.ready("b", now); !ok {
		t.Error("another key is touched")
	}
	if _, ok := l.allow("a", now.Add(600*time.Millisecond)); !ok {
		t.Error("not refilled")
	}
	for i := range 5 * maxBuckets {
		l.allow(string(rune(i))+"key", now)
	}
	if n := len(l.buckets); n > maxBuckets+1 {
		t.Errorf("%d buckets", n)
	}
	if _, ok := l.allow("new", now); ok {
		t.Error("keys beyond the bound share a bucket, which is empty")
	}
	if _, ok := l.allow("new", now.Add(time.Minute)); !ok || len(l.buckets) > 2 {
		t.Errorf("full buckets are kept: %d", len(l.buckets))
	}
	u := newLimiter(Unlimited())
	for range 1000 {
		if _, ok := u.allow("a", now); !ok {
			t.Fatal("limited")
		}
	}
	if err := (Rate{PerSecond: math.NaN(), Burst: 1}).validate("X"); err == nil {
		t.Error("accepted NaN")
	}
}

// Whatever place in a timeline is asked for, what comes is its beginning.
func FuzzTimelinePlace(f *testing.F) {
	for _, s := range []string{"1.2.0", "1.2.1", "2.1.0", "0.0.0", "9.9.9", "1.2", "-1.2.3", "1.2.3.4", " 1. 2.3", "1e3.1.1", "18446744073709551615.1.1"} {
		f.Add(s)
	}
	events := []webconferencing.Event{{Epoch: 1, Version: 1}, {Epoch: 1, Version: 2}, {Epoch: 1, Version: 2}, {Epoch: 2, Version: 3}}
	f.Fuzz(func(t *testing.T, place string) {
		list, err := before(events, place)
		if err != nil && webconferencing.CodeOf(err) != webconferencing.CodeInvalid {
			t.Fatal(err)
		}
		if len(list) > len(events) || len(list) > 0 && &list[0] != &events[0] {
			t.Fatalf("%q: %v", place, list)
		}
	})
}
