package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// serve runs this repository's server and returns a small configuration for it.
func serve(t *testing.T, opts bayeux.Options) config {
	t.Helper()
	opts.MaxMessageRate = bayeux.Unlimited
	opts.MaxHandshakesPerAddress = bayeux.Unlimited
	server, err := bayeux.New(&opts)
	if err != nil {
		t.Fatal(err)
	}
	err = server.HandleService(echoChannel, func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
		if err := r.Reply(r.Data); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return config{
		server: netip.MustParseAddrPort(web.Listener.Addr().String()), path: "/", name: "test", protocol: "bayeux",
		subscribers: 20, channels: 4, publishers: 2, window: 8, bytes: 200, sessions: 8,
		warmup: 20 * time.Millisecond, duration: 100 * time.Millisecond, settle: 50 * time.Millisecond, patience: 10 * time.Second, drain: 10 * time.Second,
		pid: os.Getpid(),
	}
}

func TestEveryScenario(t *testing.T) {
	for scenario := range scenarios() {
		for _, transport := range []string{"websocket", "long-polling"} {
			t.Run(scenario+" "+transport, func(t *testing.T) {
				c := serve(t, bayeux.Options{})
				c.scenario, c.transport = scenario, transport
				switch scenario {
				case "rate":
					c.rate = 500
				case "request":
					c.window = 1 // calls of one session may end in another order
				}
				res, err := measure(c)
				if err != nil {
					t.Fatal(err)
				}
				if res.Failures+res.Strays+res.Lost+res.Doubled+res.Disordered != 0 {
					t.Errorf("faults: %v", res)
				}
				if scenario != "idle" && res.PerSecond <= 0 {
					t.Errorf("nothing was measured: %v", res)
				}
			})
		}
	}
}

// Each session is of another user, and listens to what that user may.
func TestPeople(t *testing.T) {
	user := func(r *http.Request) string {
		cookie, err := r.Cookie("user")
		if err != nil {
			return ""
		}
		return cookie.Value
	}
	for _, transport := range []string{"websocket", "long-polling"} {
		t.Run(transport, func(t *testing.T) {
			var listening sync.Map
			c := serve(t, bayeux.Options{
				Authenticate: func(_ context.Context, r *http.Request, _ *bayeux.Message) (bayeux.Identity, error) {
					return bayeux.Identity{User: user(r)}, nil
				},
				Reauthenticate: func(_ context.Context, r *http.Request, s *bayeux.Session) error {
					if user(r) != s.Identity().User {
						return bayeux.ErrForeign
					}
					return nil
				},
				Authorize: func(_ context.Context, s *bayeux.Session, op bayeux.Operation, channel string, _ *bayeux.Message) error {
					if channel != userChannel+s.Identity().User {
						return &bayeux.Refusal{Code: 403, Reason: "no"}
					}
					if op == bayeux.OpSubscribe {
						listening.Store(channel, true)
					}
					return nil
				},
			})
			c.scenario, c.transport, c.people = "open", transport, true
			if _, err := measure(c); err != nil {
				t.Fatal(err)
			}
			n := 0
			listening.Range(func(any, any) bool { n++; return true })
			if n != c.sessions {
				t.Errorf("%d users listen; want %d", n, c.sessions)
			}
		})
	}
}

// A load program that cannot see a lost message is worth nothing.
func TestLostMessagesAreSeen(t *testing.T) {
	var published, dropped atomic.Int64
	c := serve(t, bayeux.Options{OnPublish: func(context.Context, *bayeux.Session, *bayeux.Message) (bool, error) {
		drop := published.Add(1)%10 == 0
		if drop {
			dropped.Add(1)
		}
		return drop, nil
	}})
	c.scenario, c.transport, c.rate, c.drain = "rate", "websocket", 1000, time.Second
	res, err := measure(c)
	if err != nil {
		t.Fatal(err)
	}
	if want := dropped.Load() * int64(c.subscribers/c.channels); res.Lost != want || want == 0 {
		t.Errorf("%d deliveries were dropped, %d are reported", want, res.Lost)
	}
}

func TestRefusalsAreSeen(t *testing.T) {
	c := serve(t, bayeux.Options{OnPublish: func(context.Context, *bayeux.Session, *bayeux.Message) (bool, error) {
		return false, &bayeux.Refusal{Code: 403, Reason: "no"}
	}})
	c.scenario, c.transport, c.drain = "fanout", "long-polling", time.Second
	res, err := measure(c)
	if err != nil {
		t.Fatal(err)
	}
	if res.Failures == 0 || res.Failure == "" {
		t.Errorf("no failure is reported: %v", res)
	}
}

func TestSessionsThatCannotBeOpened(t *testing.T) {
	c := serve(t, bayeux.Options{MaxSessions: 3})
	c.scenario, c.transport = "open", "long-polling"
	if _, err := measure(c); err == nil {
		t.Error("no error")
	}
}
