package bayeux_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// modelTB lets what the other tests share report to rapid, so that a
// failing run is made smaller, and be cleaned up after each run.
type modelTB struct {
	testing.TB
	rt       *rapid.T
	cleanups []func()
}

func (m *modelTB) Helper()                        {}
func (m *modelTB) Fatalf(format string, a ...any) { m.rt.Fatalf(format, a...) }
func (m *modelTB) Fatal(a ...any)                 { m.rt.Fatal(a...) }
func (m *modelTB) Errorf(format string, a ...any) { m.rt.Errorf(format, a...) }
func (m *modelTB) Cleanup(f func())               { m.cleanups = append(m.cleanups, f) }

func (m *modelTB) cleanup() {
	for i := len(m.cleanups) - 1; i >= 0; i-- {
		m.cleanups[i]()
	}
}

// modelEntry is a message that the client must still get.
type modelEntry struct {
	data  string
	batch int // in which it was last sent; 0 if never
}

// sessionModel says what a session must do, in the simplest terms.
type sessionModel struct {
	tb        *modelTB
	site      *site
	transport string
	ack       bool
	maxQueue  int

	client     client
	alive      bool
	subscribed map[string]bool
	left       map[string]bool // has been subscribed
	pending    []modelEntry
	batch      int // number of the next batch
	known      int // what the client acknowledges
	deadline   time.Time
	serial     int
}

const modelInterval = 10 * time.Second

func (m *sessionModel) Check(*rapid.T) {
	synctest.Wait()
	if m.alive && !time.Now().Before(m.deadline) {
		m.alive = false
	}
	sessions := 0
	for s := range m.site.Sessions() {
		sessions++
		if n, _ := s.Queued(); m.transport == "long-polling" && n != len(m.pending) {
			m.tb.Fatalf("%d messages queued, want %d", n, len(m.pending))
		}
		if n := len(s.Subscriptions()); n != len(m.subscribed) {
			m.tb.Fatalf("%d subscriptions, want %d", n, len(m.subscribed))
		}
	}
	if want := map[bool]int{true: 1}[m.alive]; sessions != want {
		m.tb.Fatalf("%d sessions, want %d", sessions, want)
	}
	if !m.alive && m.site.Stats().Channels != 0 {
		m.tb.Fatalf("%d channels without a session", m.site.Stats().Channels)
	}
}

func (m *sessionModel) Handshake(*rapid.T) {
	if m.alive {
		return
	}
	m.client = m.site.client(m.tb, m.transport)
	ext := ""
	if m.ack {
		ext = `,"ext":{"ack":true}`
	}
	hello(m.tb, m.client, ext)
	m.alive, m.subscribed, m.left, m.pending = true, map[string]bool{}, map[string]bool{}, nil
	m.batch, m.known = 2, 1 // the first connect has had batch 1
	m.deadline = time.Now().Add(modelInterval)
}

func (m *sessionModel) touch() {
	if until := time.Now().Add(modelInterval); m.deadline.Before(until) {
		m.deadline = until
	}
}

// modelChannels are concrete; the first is matched by the pattern too.
var modelChannels = []string{"/a/b", "/c"}

func (m *sessionModel) Subscribe(rt *rapid.T) {
	name := rapid.SampledFrom([]string{"/a/b", "/c", "/a/*"}).Draw(rt, "channel")
	verb := rapid.SampledFrom([]string{"subscribe", "unsubscribe"}).Draw(rt, "verb")
	if !m.alive {
		return
	}
	list := m.collect(`{"id":"s","channel":"/meta/`+verb+`","subscription":"`+name+`"}`, !m.ack)
	reply := find(m.tb, list, "s")
	switch {
	case verb == "subscribe":
		wantOK(m.tb, reply)
		m.subscribed[name] = true
	case m.subscribed[name], m.left[name]:
		wantOK(m.tb, reply)
		delete(m.subscribed, name)
		m.left[name] = true
	default: // nobody has it
		wantError(m.tb, reply, "400::channel_missing")
	}
	m.touch()
}

// collect sends one message and takes in what comes with the reply. With
// carries, that must be exactly what is pending.
func (m *sessionModel) collect(object string, carries bool) []*message {
	list := m.client.exchange(m.tb, say(m.client, object))
	if c, ok := m.client.(*socketClient); ok {
		list = append(c.drain(), list...)
	}
	var got, want []string
	for _, r := range list {
		if r.Data != nil {
			got = append(got, string(r.Data))
		}
	}
	if carries {
		for i := range m.pending {
			want = append(want, m.pending[i].data)
		}
		if !m.ack {
			m.pending = nil
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		m.tb.Fatalf("got %v, want %v", got, want)
	}
	return list
}

func (m *sessionModel) Publish(rt *rapid.T) {
	name := rapid.SampledFrom(modelChannels).Draw(rt, "channel")
	if len(m.pending) >= m.maxQueue {
		return
	}
	m.publish(name)
}

func (m *sessionModel) publish(name string) {
	m.serial++
	data := fmt.Sprint(m.serial)
	n, err := m.site.Publish(m.tb.Context(), name, json.RawMessage(data))
	hit := m.alive && (m.subscribed[name] || name == "/a/b" && m.subscribed["/a/*"])
	if err != nil || n != map[bool]int{true: 1}[hit] {
		m.tb.Fatalf("published to %d, %v", n, err)
	}
	if hit {
		m.pending = append(m.pending, modelEntry{data: data})
		m.receive()
	}
}

// receive reads what is pushed to a socket, as every real client does all the
// time.
func (m *sessionModel) receive() {
	if c, ok := m.client.(*socketClient); ok && !m.ack {
		for len(c.inbox) < len(m.pending) {
			c.inbox = append(c.inbox, c.read(m.tb)...)
		}
	}
}

// Connect connects and, now and then, loses the response on the way.
func (m *sessionModel) Connect(rt *rapid.T) {
	lost := rapid.IntRange(0, 4).Draw(rt, "lost") == 0
	hold := rapid.IntRange(0, 3).Draw(rt, "hold")
	if !m.alive {
		return
	}
	m.acknowledge()
	start, empty := time.Now(), len(m.pending) == 0
	list := m.collect(fmt.Sprintf(`{"id":"k","channel":"/meta/connect","advice":{"timeout":%d},"ext":{"ack":%d}}`, hold*1000, m.known), true)
	r := find(m.tb, list, "k")
	wantOK(m.tb, r)
	if d := time.Since(start); empty && d != time.Duration(hold)*time.Second || d > 3*time.Second {
		m.tb.Fatalf("held for %v", d)
	}
	m.deadline = time.Now().Add(modelInterval)
	m.settle(r, lost)
}

// acknowledge drops what the next connect confirms.
func (m *sessionModel) acknowledge() {
	if !m.ack {
		return
	}
	var kept []modelEntry
	for _, e := range m.pending {
		if e.batch == 0 || e.batch > m.known {
			kept = append(kept, e)
		}
	}
	m.pending = kept
}

// settle notes the batch that a connect's response carried.
func (m *sessionModel) settle(r *message, lost bool) {
	if !m.ack {
		return
	}
	if string(r.Ext["ack"]) != fmt.Sprint(m.batch) {
		m.tb.Fatalf("batch %d: %s", m.batch, r)
	}
	for i := range m.pending {
		if m.pending[i].batch == 0 {
			m.pending[i].batch = m.batch
		}
	}
	if !lost || len(m.pending) == 0 {
		m.known = m.batch
	}
	m.batch++
}

// HeldConnect publishes while a connect is held.
func (m *sessionModel) HeldConnect(rt *rapid.T) {
	name := rapid.SampledFrom(modelChannels).Draw(rt, "channel")
	p, polling := m.client.(*poller)
	if !m.alive || !polling {
		return
	}
	m.acknowledge()
	if len(m.pending) > 0 {
		m.Connect(rt)
		return
	}
	held := inBackground(func() []*message {
		return p.exchange(m.tb, say(p, fmt.Sprintf(`{"id":"k","channel":"/meta/connect","ext":{"ack":%d}}`, m.known)))
	})
	time.Sleep(15 * time.Second)
	m.publish(name)
	list := <-held
	if len(list) != len(m.pending)+1 {
		m.tb.Fatalf("got %v, want %v", list, m.pending)
	}
	m.deadline = time.Now().Add(modelInterval)
	m.settle(find(m.tb, list, "k"), false)
	if !m.ack {
		m.pending = nil
	}
}

func (m *sessionModel) Sleep(rt *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 12_000).Draw(rt, "ms")) * time.Millisecond)
}

func (m *sessionModel) Disconnect(rt *rapid.T) {
	if !m.alive || rapid.IntRange(0, 3).Draw(rt, "really") > 0 {
		return
	}
	list := m.collect(`{"id":"d","channel":"/meta/disconnect"}`, !m.ack && m.transport == "websocket")
	wantOK(m.tb, find(m.tb, list, "d"))
	m.alive, m.pending = false, nil
}

// TestSessionModel compares the server with the model over random histories of
// one session, with and without acknowledgement.
func TestSessionModel(t *testing.T) {
	for _, transport := range transports {
		for _, ack := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s ack %v", transport, ack), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					// What rapid throws unwinds the bubble's goroutine, and has to
					// go on in rapid's own.
					var failure any
					bubble(t, func(t *testing.T) {
						defer func() { failure = recover() }()
						tb := &modelTB{TB: t, rt: rt}
						defer tb.cleanup()
						// The model does not read while it sleeps, so it cannot answer pings.
						o := &bayeux.Options{MaxHandshakesPerAddress: bayeux.Unlimited, PingEvery: time.Hour}
						m := &sessionModel{tb: tb, site: newSite(tb, o), transport: transport, ack: ack, maxQueue: 50}
						rt.Repeat(rapid.StateMachineActions(m))
					})
					rethrow(failure)
				})
			})
		}
	}
}

// rethrow goes on with a panic. Failures and the end of the random data do so
// from different lines, because rapid tells by the line whether a smaller run
// has still failed in the same way.
func rethrow(failure any) {
	switch {
	case failure == nil:
	case fmt.Sprintf("%T", failure) == "rapid.invalidData":
		panic(failure)
	default:
		panic(failure)
	}
}
