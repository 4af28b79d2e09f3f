package bayeux_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// ackingPoller is a client of long-polling that acknowledges what it got, and
// hangs up now and then. It polls on connections of their own: one poll that hangs
// up just when it gets an answer without a body makes net/http's client close the
// connection, which it has already given to the next request.
type ackingPoller struct {
	*poller
	polls  *poller
	batch  string
	random *rand.Rand
}

// poll returns what a connect has brought, nothing if the client hung up.
func (p *ackingPoller) poll(t *testing.T) []*message {
	ctx := t.Context()
	if p.random.IntN(10) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(p.random.IntN(5000))*time.Microsecond)
		defer cancel()
	}
	status, body, err := p.polls.post(ctx, say(p, `{"id":"p","channel":"/meta/connect","connectionType":"long-polling","ext":{"ack":`+p.batch+`}}`))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	case err != nil:
		t.Errorf("connect: %v", err)
		return nil
	case status == http.StatusInternalServerError:
		// One that was given up has come later, on another connection.
		return nil
	}
	list := decode(t, body)
	reply := last(list)
	if !reply.ok() {
		t.Errorf("connect: %s", reply)
		return nil
	}
	p.batch = string(reply.Ext["ack"])
	return list[:len(list)-1]
}

// TestPollsUnderLoad checks on real sockets, and with so many clients that there
// are rushes, that everybody gets every message once and in order although some
// hang up all the time, while they make requests, some of which are slow.
func TestPollsUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, messages, requests = 80, 100, 20
	for name, inHandler := range map[string]bool{"outside": false, "in handler": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := socketSite(t, &bayeux.Options{
				StayInHandler: inHandler, MaxQueue: 2 * messages, MaxMessageRate: bayeux.Unlimited,
				MaxHandshakesPerAddress: bayeux.Unlimited, MaxUnknownPerAddress: bayeux.Unlimited, MaxInterval: time.Hour,
			}, bare)
			err := s.HandleService("/service/half", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
				if n, _ := strconv.Atoi(string(r.Data)); n%10 == 0 {
					time.Sleep(20 * time.Millisecond) // longer than the reader is lent for
				}
				_ = r.Reply(r.Data)
			})
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			polls := &site{Server: s.Server, url: s.url, transport: &http.Transport{}}
			defer polls.transport.CloseIdleConnections()
			for i := range clients {
				p := &ackingPoller{poller: s.poller(t), polls: polls.poller(t), batch: "0", random: rand.New(rand.NewPCG(1, uint64(i)))}
				p.polls.http.Jar = p.http.Jar
				hello(t, p, `,"ext":{"ack":true}`)
				subscribe(t, p, "/a")
				all.Go(func() {
					for j := range requests {
						list := p.exchange(t, say(p, fmt.Sprintf(`{"id":"r%d","channel":"/service/half","data":%d}`, j, j)))
						if m := last(list); !list[0].ok() && !m.ok() {
							t.Errorf("request %d: %s", j, m)
						}
					}
				})
				all.Go(func() { p.takeAll(t, messages, requests) })
			}
			for i := range messages {
				publish(t, s, "/a", strconv.Itoa(i))
			}
			all.Wait()
		})
	}
}

// takeAll polls until everything has come.
func (p *ackingPoller) takeAll(t *testing.T, messages, requests int) {
	results := make(map[string]bool)
	for next := 0; next < messages && !t.Failed(); {
		for _, m := range p.poll(t) {
			switch {
			case m.Channel == "/a" && string(m.Data) == strconv.Itoa(next):
				next++
			case m.Channel == "/service/half" && !results[string(m.Data)] && len(results) < requests:
				results[string(m.Data)] = true
			default:
				t.Errorf("after %d messages: %s", next, m)
			}
		}
	}
}
