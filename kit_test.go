package webconferencing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/memstore"
)

// people is a small directory: users, and groups with members who can change.
type people struct {
	mu     sync.Mutex
	users  map[wc.UserID]*wc.User
	groups map[wc.Ref]*wc.Group
}

func newPeople() *people {
	p := &people{users: make(map[wc.UserID]*wc.User), groups: make(map[wc.Ref]*wc.Group)}
	for _, name := range []string{"Mary Williams", "John Smith", "James Davis", "Jack Miller", "Root Root"} {
		first, last, _ := strings.Cut(name, " ")
		id := wc.UserID(strings.ToLower(first))
		p.users[id] = &wc.User{ID: id, FirstName: first, LastName: last}
	}
	p.set(wc.OwnerSpace, "product_team", "mary", "john", "james")
	p.set(wc.OwnerSpace, "sales_team", "james", "jack")
	p.set(wc.OwnerChatRoom, "team-welcome", "mary", "john", "jack")
	return p
}

func (p *people) set(t wc.OwnerType, id string, members ...wc.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ref := wc.Ref{Type: t, ID: id}
	p.groups[ref] = &wc.Group{Ref: ref, Title: id, GroupID: "/spaces/" + id, Members: members}
}

func (p *people) User(_ context.Context, id wc.UserID) (*wc.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.users[id]
	if u == nil {
		return nil, wc.ErrNotFound
	}
	c := *u
	return &c, nil
}

func (p *people) Group(_ context.Context, ref wc.Ref) (*wc.Group, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ref.ID = strings.TrimPrefix(ref.ID, "/spaces/")
	g := p.groups[ref]
	if g == nil {
		return nil, wc.ErrNotFound
	}
	c := *g
	c.Members = slices.Clone(g.Members)
	return &c, nil
}

// anyProvider can do everything that has to be declared.
type anyProvider struct{ info wc.ProviderInfo }

func (p anyProvider) Info() wc.ProviderInfo { return p.info }

func provider() wc.Provider {
	return anyProvider{wc.ProviderInfo{Type: "webrtc", Title: "WebRTC", Groups: true}}
}

// node is one running Service in a synctest bubble.
type node struct {
	*wc.Service
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
}

func startNode(t *testing.T, store wc.Store, dir wc.Directory, opts wc.Options) *node {
	t.Helper()
	if opts.Providers == nil {
		opts.Providers = []wc.Provider{provider()}
	}
	opts.Debug = true // every test world checks the invariants
	if opts.Logger == nil {
		opts.Logger = slog.New(faultLog{t})
	}
	s, err := wc.New(store, dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{Service: s, t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(n.done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return n
}

// stop ends the node as a crash would: nothing is said to anybody.
func (n *node) stop() {
	n.cancel()
	<-n.done
	if v := n.Stats().Violations; v > 0 {
		n.t.Errorf("%d invariants were violated", v)
	}
}

// faultLog shows violated invariants and drops the rest of the log.
type faultLog struct{ t *testing.T }

func (faultLog) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f faultLog) WithAttrs([]slog.Attr) slog.Handler         { return f }
func (f faultLog) WithGroup(string) slog.Handler              { return f }
func (f faultLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "invariant violated" {
		r.Attrs(func(a slog.Attr) bool { f.t.Log(a); return true })
	}
	return nil
}

// one runs f in a bubble with a single node over a fresh store.
func one(t *testing.T, f func(t *testing.T, s *node, dir *people)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dir := newPeople()
		n := startNode(t, memstore.New(), dir, wc.Options{})
		defer n.stop()
		synctest.Wait()
		f(t, n, dir)
	})
}

func dev(user, client string) wc.Actor {
	return wc.Actor{User: wc.UserID(user), Client: wc.ClientID(client)}
}

// inbox collects what one user is told, in a short form.
type inbox struct {
	mu  sync.Mutex
	got []string
	sub *wc.Subscription
}

func listen(t *testing.T, s *wc.Service, user string) *inbox {
	t.Helper()
	synctest.Wait() // what was committed before has been dispatched
	in := &inbox{}
	sub, err := s.Subscribe(t.Context(), dev(user, "x"), wc.UserTopic(wc.UserID(user)), nil, in.add)
	if err != nil {
		t.Fatal(err)
	}
	in.sub = sub
	return in
}

func (in *inbox) add(e *wc.Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.got = append(in.got, short(e))
}

func short(e *wc.Event) string {
	s := string(e.Type)
	switch e.Type {
	case wc.EventState:
		s = string(e.State)
		if e.Reason != "" {
			s += "(" + string(e.Reason) + ")"
		}
	case wc.EventUpdated, wc.EventMissed:
	default:
		s += " " + string(e.Part)
	}
	return s
}

// take returns what came since the last time, after everything has settled.
func (in *inbox) take() []string {
	synctest.Wait()
	in.mu.Lock()
	defer in.mu.Unlock()
	got := in.got
	in.got = nil
	return got
}

func (in *inbox) want(t *testing.T, who string, want ...string) {
	t.Helper()
	if got := in.take(); !slices.Equal(got, want) {
		t.Errorf("%s was told %q, want %q", who, got, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t *testing.T, err error, code wc.Code) {
	t.Helper()
	if wc.CodeOf(err) != code {
		t.Errorf("error is %v with code %q, want code %q", err, wc.CodeOf(err), code)
	}
}

func pair(a, b string, start bool) wc.NewCall {
	return wc.NewCall{
		ID: wc.CallID(fmt.Sprintf("p/%s@%s", min(a, b), max(a, b))), Owner: wc.Ref{Type: wc.OwnerUser, ID: a},
		Provider: "webrtc", Title: a, Participants: []wc.UserID{wc.UserID(a), wc.UserID(b)}, Start: start,
	}
}

func space(id, name string, start bool) wc.NewCall {
	return wc.NewCall{ID: wc.CallID(id), Owner: wc.Ref{Type: wc.OwnerSpace, ID: name}, Provider: "webrtc", Title: name, Start: start}
}

func keepAlive(t *testing.T, s *wc.Service, by wc.Actor, ref wc.SeatRef, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := s.RenewSeat(t.Context(), by, ref); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second) // virtual
	}
}

var errBoom = errors.New("boom")

// counting counts the commits of a store; each takes 10 ms of virtual time, as
// a disk would.
type counting struct {
	wc.Store
	commits atomic.Int64
}

func (c *counting) Commit(ctx context.Context, change *wc.Change) (wc.Position, error) {
	if change.Call != nil {
		c.commits.Add(1)
		time.Sleep(10 * time.Millisecond)
	}
	return c.Store.Commit(ctx, change)
}
