package webconferencing_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/connectortest"
	"github.com/webconferencing/webconferencing/store/memstore"
)

func text(s string) *string { return &s }

func change(pairs ...string) wc.SettingChange {
	c := wc.SettingChange{Values: make(map[string]*string)}
	for i := 0; i < len(pairs); i += 2 {
		c.Values[pairs[i]] = text(pairs[i+1])
	}
	return c
}

func TestSettingsReachAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		sims := []*connectortest.Simulated{connectortest.NewSimulated(nil), connectortest.NewSimulated(nil)}
		var nodes []*node
		for _, sim := range sims {
			nodes = append(nodes, startNode(t, store, newPeople(), wc.Options{Providers: []wc.Provider{sim}}))
		}
		defer nodes[0].stop()
		defer nodes[1].stop()
		synctest.Wait()
		r := nodes[0].Providers()
		got := must[wc.ProviderSettings](t)(r.Configure(t.Context(), admin, "simulated", change("title", "Ours", "api_secret", "hush")))
		for _, set := range got.Settings {
			if set.Key == "api_secret" && (set.Value != "" || !set.Set) || set.Key == "title" && set.Value != "Ours" || set.Key == "size" && (set.Value != "4" || set.Set) {
				t.Errorf("setting %+v", set)
			}
		}
		wait(3 * time.Second)
		for i, sim := range sims {
			if sim.Value("title") != "Ours" || sim.Value("api_secret") != "hush" || sim.Value("size") != "4" {
				t.Errorf("node %d has the title %q", i, sim.Value("title"))
			}
		}
		// A node that starts later takes them on before it first asks.
		late := connectortest.NewSimulated(nil)
		s, err := wc.New(store, newPeople(), &wc.Options{Providers: []wc.Provider{late}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Busy(t.Context(), mary, "mary", wc.Interval{From: time.Now(), To: time.Now().Add(time.Hour)}); err != nil || late.Value("title") != "Ours" {
			t.Errorf("a late node has the title %q, %v", late.Value("title"), err)
		}
		// Null goes back to the default; what is not named stays.
		must[wc.ProviderSettings](t)(nodes[1].Providers().Configure(t.Context(), admin, "simulated", wc.SettingChange{Values: map[string]*string{"title": nil}}))
		wait(3 * time.Second)
		if sims[0].Value("title") != "Simulated" || sims[0].Value("api_secret") != "hush" {
			t.Errorf("after the reset the title is %q", sims[0].Value("title"))
		}
		changes := must[[]wc.ProviderChange](t)(r.Changes(t.Context(), admin, "simulated"))
		if len(changes) != 2 || !slices.Equal(changes[0].Keys, []string{"title"}) || changes[1].User != "root" || !slices.Equal(changes[1].Keys, []string{"api_secret", "title"}) {
			t.Errorf("changes are %+v", changes)
		}
	})
}

func TestSettingsThatAreRefused(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		r := s.Providers()
		must[wc.ProviderSettings](t)(r.Configure(t.Context(), admin, "simulated", change("title", "Ours")))
		for want, c := range map[string]wc.SettingChange{
			"size": change("size", "17"), "quality": change("quality", "best"), "server": change("server", "ftp://x"), "lobby": change("lobby", "yes"),
			"nothing": change("nothing", "x"), "title": change("title", ""), "": change("title", "refuse me"),
		} {
			_, err := r.Configure(t.Context(), admin, "simulated", c)
			var e *wc.Error
			if !errors.As(err, &e) || e.Code != wc.CodeInvalid || e.Field != want || strings.Contains(err.Error(), "does not like") {
				t.Errorf("%s: error is %v", want, err)
			}
		}
		_, err := r.Configure(t.Context(), admin, "simulated", change("size", "x", "lobby", "x"))
		if err == nil || !strings.Contains(err.Error(), "size") || !strings.Contains(err.Error(), "lobby") {
			t.Errorf("not all faults are named: %v", err)
		}
		_, err = r.Configure(t.Context(), mary, "simulated", change("title", "Mine"))
		wantCode(t, err, wc.CodeDenied)
		_, err = r.Settings(t.Context(), mary, "simulated")
		wantCode(t, err, wc.CodeDenied)
		if sim.Value("title") != "Ours" {
			t.Errorf("the title is %q", sim.Value("title"))
		}
		// Two administrators with the same form: one is told.
		now := must[wc.ProviderSettings](t)(r.Settings(t.Context(), admin, "simulated"))
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			wg.Go(func() {
				c := change("title", "Race")
				c.IfRevision = &now.Revision
				_, errs[i] = r.Configure(t.Context(), admin, "simulated", c)
			})
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("errors are %v", errs)
		}
	})
}

// portal has managers and a tree of spaces.
type portal struct {
	*people
	parents map[string]string
}

func (p *portal) IsManager(_ context.Context, user wc.UserID, ref wc.Ref) (bool, error) {
	return user == "john" && ref.ID == "product_team", nil
}

func (p *portal) Parent(_ context.Context, ref wc.Ref) (wc.Ref, error) {
	if up, ok := p.parents[ref.ID]; ok {
		return wc.Ref{Type: wc.OwnerSpace, ID: up}, nil
	}
	return wc.Ref{}, wc.ErrNotFound
}

func TestProvidersOfSpaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := &portal{newPeople(), map[string]string{"product_team": "sales_team"}}
		groups := anyProvider{wc.ProviderInfo{Type: "groups", Title: "Groups", Groups: true, GroupsOnly: true}}
		pairs := anyProvider{wc.ProviderInfo{Type: "pairs", Title: "Pairs"}}
		s := startNode(t, memstore.New(), dir, wc.Options{Providers: []wc.Provider{provider(), groups, pairs}})
		defer s.stop()
		synctest.Wait()
		r, ctx := s.Providers(), t.Context()
		product, sales := wc.Ref{Type: wc.OwnerSpace, ID: "product_team"}, wc.Ref{Type: wc.OwnerSpace, ID: "sales_team"}
		offers := func(ref wc.Ref, want ...string) {
			t.Helper()
			c := must[wc.ProviderChoice](t)(r.ProvidersFor(ctx, admin, ref, ""))
			var got []string
			for _, p := range c.Providers {
				got = append(got, p.Type)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v offers %q, want %q", ref, got, want)
			}
		}
		set := func(by wc.Actor, ref wc.Ref, code wc.Code, types ...string) {
			t.Helper()
			wantCode(t, r.SetSpaceProviders(ctx, by, ref, types), code)
		}
		offers(product, "webrtc", "groups")
		offers(wc.Ref{Type: wc.OwnerUser, ID: "mary"}, "webrtc", "pairs")
		set(admin, sales, "", "groups")
		offers(product, "groups")
		set(mary, product, wc.CodeDenied, "webrtc")
		set(jack, product, wc.CodeNotFound, "webrtc")
		set(john, product, "", "webrtc", "groups")
		set(john, wc.Ref{}, wc.CodeDenied, "webrtc")
		set(admin, product, wc.CodeInvalid, "nobody")
		offers(product, "webrtc", "groups")
		offers(sales, "groups")
		if err := r.SetSpaceProviders(ctx, admin, product, []string{}); err != nil {
			t.Error(err)
		}
		offers(product)
		_, err := s.CreateCall(ctx, mary, space("g/x", "product_team", true))
		wantCode(t, err, wc.CodeInvalid)
		// By its other name, too.
		_, err = s.CreateCall(ctx, mary, space("g/x", "/spaces/product_team", true))
		wantCode(t, err, wc.CodeInvalid)
		if err := r.SetSpaceProviders(ctx, admin, product, nil); err != nil {
			t.Error(err)
		}
		offers(product, "groups")
		set(admin, wc.Ref{}, "", "pairs")
		offers(wc.Ref{Type: wc.OwnerUser, ID: "mary"}, "pairs")
		_, err = s.CreateCall(ctx, mary, pair("mary", "john", true))
		wantCode(t, err, wc.CodeInvalid)
		// Parents in a circle are an error, not an endless walk.
		dir.parents["sales_team"] = "product_team"
		if err := r.SetSpaceProviders(ctx, admin, sales, nil); err != nil {
			t.Error(err)
		}
		if _, err := r.ProvidersFor(ctx, admin, product, ""); err == nil {
			t.Error("a circle of parents was walked")
		}
	})
}

func TestAccounts(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		ctx := t.Context()
		got := must[wc.IMAccount](t)(s.SetAccount(ctx, mary, "mary", "simulated", "Mary.W"))
		if got.ID != "mary.w" {
			t.Errorf("account is %+v", got)
		}
		u := must[*wc.User](t)(s.User(ctx, john, "mary"))
		if a := u.IMAccounts["simulated"]; len(a) != 1 || a[0].ID != "mary.w" {
			t.Errorf("profile has %+v", u.IMAccounts)
		}
		_, err := s.SetAccount(ctx, john, "mary", "simulated", "john")
		wantCode(t, err, wc.CodeDenied)
		_, err = s.SetAccount(ctx, mary, "mary", "simulated", "1 2 3")
		wantCode(t, err, wc.CodeInvalid)
		must[wc.IMAccount](t)(s.SetAccount(ctx, admin, "mary", "simulated", ""))
		if all := must[map[string][]wc.IMAccount](t)(s.Accounts(ctx, mary, "mary")); len(all["simulated"]) != 0 {
			t.Errorf("accounts are %+v", all)
		}
	})
	two := []wc.Provider{connectortest.NewSimulated(nil), &sameAccounts{connectortest.NewSimulated(nil)}}
	if _, err := wc.New(memstore.New(), newPeople(), &wc.Options{Providers: two}); err == nil || !strings.Contains(err.Error(), `account type "simulated" is there already`) {
		t.Errorf("error is %v", err)
	}
}

type sameAccounts struct{ *connectortest.Simulated }

func (*sameAccounts) Info() wc.ProviderInfo { return wc.ProviderInfo{Type: "other", Title: "Other"} }

func TestConnectedAccounts(t *testing.T) {
	simulated(t, wc.Options{}, func(t *testing.T, s *node, sim *connectortest.Simulated) {
		ctx := t.Context()
		begin := func() url.Values {
			t.Helper()
			link := must[string](t)(s.ConnectAccount(ctx, mary, "simulated", "https://portal.example/back"))
			u, err := url.Parse(link)
			if err != nil || u.Query().Get("redirect_uri") != "https://portal.example/back" {
				t.Fatalf("link is %s", link)
			}
			return url.Values{"state": {u.Query().Get("state")}, "code": {"good"}}
		}
		params := begin()
		wantCode(t, s.FinishAccount(ctx, john, "simulated", params), wc.CodeDenied) // not his
		wantCode(t, s.FinishAccount(ctx, mary, "simulated", params), "")
		wantCode(t, s.FinishAccount(ctx, mary, "simulated", params), wc.CodeDenied) // once only
		cred := must[wc.Credential](t)(s.Credential(ctx, "simulated", "mary"))
		if !strings.Contains(string(cred.Data), "of mary") {
			t.Errorf("credential is %s", cred.Data)
		}
		late := begin()
		wait(11 * time.Minute)
		wantCode(t, s.FinishAccount(ctx, mary, "simulated", late), wc.CodeDenied)
		refused := begin()
		refused.Set("code", "bad")
		wantCode(t, s.FinishAccount(ctx, mary, "simulated", refused), wc.CodeDenied)
		refused.Set("code", "good")
		wantCode(t, s.FinishAccount(ctx, mary, "simulated", refused), wc.CodeDenied)

		sim.Behave(connectortest.Behaviour{Err: errBoom})
		if err := s.DisconnectAccount(ctx, mary, "simulated"); err == nil {
			t.Error("the provider's failure was hidden")
		}
		_, err := s.Credential(ctx, "simulated", "mary")
		wantCode(t, err, wc.CodeNotFound)
		wantCode(t, s.DisconnectAccount(ctx, mary, "simulated"), "")
		_, err = s.ConnectAccount(ctx, mary, "simulated", "javascript:alert(1)")
		wantCode(t, err, wc.CodeInvalid)
	})
}

func TestBrokenSchemasAreFound(t *testing.T) {
	for want, schema := range map[string][]wc.Setting{
		"key": {{Key: "Bad Key", Type: wc.SettingText}}, "twice": {{Key: "a", Type: wc.SettingText}, {Key: "a", Type: wc.SettingText}},
		"colour": {{Key: "a", Type: "colour"}}, "choices": {{Key: "a", Type: wc.SettingChoice}},
		"secret has no default": {{Key: "a", Type: wc.SettingSecret, Default: "x"}}, "default is not": {{Key: "a", Type: wc.SettingNumber, Default: "x"}},
	} {
		p := &schemed{connectortest.NewSimulated(nil), schema}
		if _, err := wc.New(memstore.New(), newPeople(), &wc.Options{Providers: []wc.Provider{p}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

type schemed struct {
	*connectortest.Simulated
	schema []wc.Setting
}

func (s *schemed) Settings() []wc.Setting { return s.schema }
