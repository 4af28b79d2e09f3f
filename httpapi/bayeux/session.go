package bayeux

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/lane"
)

// Session is one client. Its methods may be called concurrently, also after
// the session has ended.
type Session struct {
	srv      *Server
	id       string
	browser  string
	identity Identity
	remote   string
	replays  bool   // it asked for the replay extension
	addr     string // for which it is counted; empty for none
	created  time.Time
	attrs    sync.Map
	seen     atomic.Int64
	checked  atomic.Int64 // when its subscriptions were asked about again
	hidesOwn atomic.Bool  // it does not get what it publishes itself
	calls    callQueue
	local    *LocalSession // nil for a client outside
	stuck    atomic.Int32  // hooks that were called for it and given up

	// turn holds a token while a request other than a lone connect is
	// processed, so that one client's requests take effect one by one.
	turn chan struct{}

	mu                                      sync.Mutex
	opened                                  bool   // OnSession has returned
	finish                                  func() // what remains to be done once it has
	closed                                  bool
	reason                                  Reason
	connected                               bool            // a connect has been answered
	subscriptions                           map[string]bool // false while the hook has not agreed yet
	left                                    []string        // the channels that it has unsubscribed from last
	queue                                   queue
	busy                                    int // requests in progress that will carry messages away
	held                                    *held
	socket                                  *socket
	transport                               string
	lively                                  bool          // its last held connect was answered soon
	crowded                                 bool          // its client was asked to pause, as its browser has others
	connectOnly                             bool          // messages leave with connect replies only
	interval                                time.Duration // of the present cycle
	ownTimeout, ownInterval, ownMaxInterval time.Duration
	ownPing                                 time.Duration
	advise                                  bool // the next connect reply tells new times
	expiry                                  alarm
	holdEnd                                 alarm
	lazy                                    *time.Timer
	sent                                    bucket    // messages from the client
	active                                  time.Time // when there was more than connects
	waiting                                 int       // requests that wait for their turn
	deadline                                time.Time // zero while a connect is in progress
	overdue                                 time.Time // when that takes too long; zero for never
}

// held is a connect that waits for something to say.
type held struct {
	message   *Message
	advise    bool
	crowded   bool   // refused its hold, as its browser has others
	browser   string // counted for this browser; empty if not
	session   *Session
	socket    *socket // WebSocket; nil for long-polling
	since     time.Time
	until     time.Time
	away      int           // HTTP status with which it is turned away; 0 if it is not
	place     atomic.Int32  // long-polling: where it waits
	wake      chan struct{} // long-polling in its handler: tells that there is an answer
	pending   lane.Pending  // long-polling outside of it
	hooks     holdHooks
	review    *heldReview // long-polling: nil if nobody is asked
	positions []byte      // for the replay extension; nil without
}

// newToken returns an unguessable name of letters and digits, 160 bits.
func newToken() string {
	var b [20]byte
	rand.Read(b[:]) // never fails; it ends the program rather than return bad bytes
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// Identity returns who the session belongs to, as the handshake decided.
func (s *Session) Identity() Identity { return s.identity }

// ID returns the session's secret id, by which its client proves itself. It
// must not reach logs, other clients or URLs.
func (s *Session) ID() string { return s.id }

// RemoteAddr returns the network address that the handshake came from.
func (s *Session) RemoteAddr() string { return s.remote }

// Created returns when the handshake was.
func (s *Session) Created() time.Time { return s.created }

// LastSeen returns the time of the last evidence that the client lives: a
// request, a frame or a pong. While a long-polling connect is held it is the
// present, since the server would notice the end of its connection.
func (s *Session) LastSeen() time.Time {
	s.mu.Lock()
	polling := (s.local != nil || s.held != nil && s.held.socket == nil) && !s.closed
	s.mu.Unlock()
	if polling {
		return time.Now()
	}
	return time.Unix(0, s.seen.Load())
}

// LastHeard returns when something last arrived from the client: a request, a
// frame or a pong. Unlike LastSeen it does not take a connection that is
// merely open for a sign of life.
func (s *Session) LastHeard() time.Time { return time.Unix(0, s.seen.Load()) }

// Alive reports whether the session has not ended.
func (s *Session) Alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed
}

// Connected reports whether the client is there at this moment: a connect is
// held, a WebSocket is open or the session is local.
func (s *Session) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && (s.held != nil || s.socket != nil || s.local != nil)
}

// Transport returns the name of the transport in use, "long-polling",
// "websocket" or "local".
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport
}

// Attr returns what SetAttr stored under the key, nil if nothing.
func (s *Session) Attr(key any) any {
	value, _ := s.attrs.Load(key)
	return value
}

// SetAttr stores a value of the application with the session; a nil value
// removes it. It lives as long as the session.
func (s *Session) SetAttr(key, value any) {
	if value == nil {
		s.attrs.Delete(key)
		return
	}
	s.attrs.Store(key, value)
}

// Subscriptions returns the channels and patterns that the session is
// subscribed to, sorted.
func (s *Session) Subscriptions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.subscriptions))
	for name := range s.subscriptions {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Queued returns how many messages wait for the client, those that it has not
// acknowledged included, and their size in bytes.
func (s *Session) Queued() (messages, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue.entries), s.queue.bytes
}

// Deliver queues a message for this one client, whether or not it is
// subscribed to the channel. It never blocks. The error is [ErrClosed] if the
// session has ended, or [ErrSlow] if this message did not fit into the queue,
// which ends the session.
func (s *Session) Deliver(p *Prepared) error { return s.enqueue(p, 0) }

func (s *Session) enqueue(p *Prepared, lazy time.Duration) error {
	next, err := s.push(p, lazy)
	next.run()
	return err
}

// push is enqueue without what follows from it, which may call hooks and is for
// the caller to run once he holds no lock.
func (s *Session) push(p *Prepared, lazy time.Duration) (next step, err error) {
	if s.local != nil && s.local.takes(p) {
		return step{}, nil
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return step{}, ErrClosed
	}
	if !s.queue.fits(p, s.srv.opts.MaxQueue, s.srv.opts.MaxQueueBytes) {
		s.mu.Unlock()
		s.end(ReasonSlow)
		return step{}, ErrSlow
	}
	var due time.Time
	if lazy > 0 {
		due = time.Now().Add(lazy)
	}
	s.queue.push(p, due)
	s.deliveredLocked()
	next = s.wakeLocked()
	s.mu.Unlock()
	s.srv.stats.delivered.Add(1)
	return next, nil
}

func (s *Session) deliveredLocked() {
	if s.srv.opts.DeliveriesAreActivity {
		s.active = time.Now()
	}
}

// step is what has to happen after a session's lock is released.
type step struct {
	local *LocalSession // has messages to hand out
	push  *socket       // has messages to write
	done  *Session      // its WebSocket connect has something to say
	held  *held
}

func (n step) isNothing() bool { return n == step{} }

func (n step) run() {
	if n.local != nil {
		n.local.kick()
	}
	if n.push != nil {
		n.push.kick()
	}
	if n.done != nil {
		n.done.releaseSocketConnect(n.held)
	}
}

// wakeLocked decides who carries waiting messages to the client.
func (s *Session) wakeLocked() step {
	if s.closed || s.busy > 0 || s.queue.flying > 0 {
		return step{}
	}
	if !s.queue.prompt() {
		s.delayLocked()
		return step{}
	}
	if s.local != nil {
		return step{local: s.local}
	}
	if s.socket != nil && !s.connectOnly {
		return step{push: s.socket}
	}
	if h := s.held; h != nil {
		if h.socket == nil {
			h.signal()
			return step{}
		}
		return step{done: s, held: h}
	}
	return step{}
}

// delayLocked makes sure that lazy messages are sent when they are due.
func (s *Session) delayLocked() {
	due := s.queue.due()
	if due.IsZero() {
		return
	}
	d := time.Until(due)
	if s.lazy == nil {
		s.lazy = time.AfterFunc(d, s.wake)
		return
	}
	s.lazy.Reset(d)
}

func (s *Session) wake() {
	s.srv.tasks.begin()
	defer s.srv.tasks.end()
	s.mu.Lock()
	next := s.wakeLocked()
	s.mu.Unlock()
	next.run()
}

// DeliverLazy is Deliver for a message that may wait for a while, so that it
// travels with others.
func (s *Session) DeliverLazy(p *Prepared, wait time.Duration) error { return s.enqueue(p, wait) }

// Batch calls f and sends what was delivered meanwhile together.
func (s *Session) Batch(f func()) {
	s.mu.Lock()
	s.busy++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy--
		next := s.wakeLocked()
		s.mu.Unlock()
		next.run()
	}()
	f()
}

// SetTimeout changes how long this session's connects are held at most; 0
// returns to Options.Timeout. A connect that is being held is shortened, and
// the client is told with the next reply.
func (s *Session) SetTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ownTimeout, s.advise = max(0, d), true
	if h := s.held; h != nil && s.ownTimeout > 0 {
		if end := h.since.Add(s.ownTimeout); end.Before(h.until) {
			h.until = end
			s.holdUntilLocked(end)
		}
	}
}

// SetPingEvery changes the time between pings on this session's WebSocket; 0
// returns to Options.PingEvery.
func (s *Session) SetPingEvery(d time.Duration) {
	s.mu.Lock()
	s.ownPing = max(0, d)
	k := s.socket
	s.mu.Unlock()
	if k != nil {
		k.pingIn(s.pingEvery())
	}
}

func (s *Session) pingEvery() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.ownPing, s.srv.opts.PingEvery)
}

// SetInterval changes the pause that this client is asked to make between two
// connects; 0 returns to Options.Interval.
func (s *Session) SetInterval(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ownInterval, s.advise = max(0, d), true
	if s.held != nil {
		s.interval = cmp.Or(s.ownInterval, s.srv.opts.Interval)
	}
}

// SetMaxInterval changes how long this session lives without a connect; 0
// returns to Options.MaxInterval.
func (s *Session) SetMaxInterval(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ownMaxInterval = max(0, d)
	if !s.deadline.IsZero() {
		s.armLocked()
	}
}

func (s *Session) timeoutLocked() time.Duration { return cmp.Or(s.ownTimeout, s.srv.opts.Timeout) }

func (s *Session) lifeLocked() time.Duration {
	return cmp.Or(s.ownMaxInterval, s.srv.opts.MaxInterval)
}

// touch notes evidence of life: a message that came just now. It postpones the
// expiry, but never beyond what a connect would give. It reports whether the
// session has not ended.
func (s *Session) touch(m *Message) bool {
	now := m.received
	s.seen.Store(now.UnixNano())
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Channel != metaConnect {
		s.active = now
	}
	s.postponeLocked(now)
	return !s.closed
}

// postpone keeps the session while the server does not read what its client may
// have sent.
func (s *Session) postpone(wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.postponeLocked(time.Now().Add(wait))
}

// postponeLocked moves the expiry as if the client had been heard of then.
func (s *Session) postponeLocked(heard time.Time) {
	if s.deadline.IsZero() {
		return
	}
	if until := heard.Add(s.lifeLocked()); s.deadline.Before(until) {
		s.deadline = until
	}
}

// processingLocked starts the clock that ends the session unless its connect,
// which may be held for so long, is answered.
func (s *Session) processingLocked(hold time.Duration) {
	s.overdue = time.Time{}
	if limit := s.srv.opts.MaxProcessing; limit > 0 && s.expiry.used() {
		s.overdue = time.Now().Add(hold + limit)
		s.expireLocked(s.overdue)
	}
}

// armLocked starts the clock that ends the session unless a connect comes.
func (s *Session) armLocked() {
	if s.closed || s.local != nil {
		return
	}
	d := s.interval + s.lifeLocked()
	s.deadline = time.Now().Add(d)
	s.expireLocked(s.deadline)
}

// expireLocked makes sure that expire is called by then.
func (s *Session) expireLocked(t time.Time) { s.expiry.set(t, s.expire) }

func (s *Session) expire() {
	s.srv.tasks.begin()
	defer s.srv.tasks.end()
	s.mu.Lock()
	s.expiry.rang()
	end := s.deadline
	if end.IsZero() {
		end = s.overdue
	}
	if s.closed || end.IsZero() {
		s.mu.Unlock()
		return
	}
	if time.Now().Before(end) {
		s.expireLocked(end)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.endNow(ReasonExpired)
}

// Kick ends the session; the client is told not to come back by itself. It
// returns at once, the hooks run in the background. It has no effect on a
// session that has ended.
func (s *Session) Kick() { s.end(ReasonKicked) }

// Expel ends the session in such a way that the client makes a new handshake
// at once, for instance after its rights have changed. It is otherwise like
// Kick.
func (s *Session) Expel() { s.end(ReasonReplaced) }

// end ends the session and leaves the hooks to a goroutine, because the caller
// may be anybody who delivered a message.
func (s *Session) end(reason Reason) {
	if finish := s.close(reason); finish != nil {
		s.srv.tasks.spawn(finish)
	}
}

// endNow ends the session and runs the hooks before it returns.
func (s *Session) endNow(reason Reason) {
	if finish := s.close(reason); finish != nil {
		finish()
	}
}

// close marks the session as ended and frees what it holds. It returns what
// remains to be done, nil if that is nothing or for another to do.
func (s *Session) close(reason Reason) (finish func()) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed, s.reason = true, reason
	names := make([]string, 0, len(s.subscriptions))
	var agreed []string
	for name, confirmed := range s.subscriptions {
		names = append(names, name)
		if confirmed {
			agreed = append(agreed, name)
		}
	}
	slices.Sort(agreed)
	s.subscriptions = nil
	s.queue.entries, s.queue.bytes, s.queue.flying = nil, 0, 0
	h, k := s.held, s.socket
	s.socket = nil
	s.deadline = time.Time{}
	s.expiry.stop()
	if s.lazy != nil {
		s.lazy.Stop()
	}
	s.holdEnd.stop()
	if h != nil && h.socket != nil {
		s.held = nil
	}
	s.mu.Unlock()

	if s.local != nil {
		close(s.local.done)
	}
	if h == nil && s.local == nil && (reason == ReasonKicked || reason == ReasonInactive || reason == ReasonUnauthorized) {
		s.srv.banish(s.id)
	}
	s.srv.forget(s)
	s.srv.hub.remove(s, names...)
	s.calls.stop(reason)
	if h != nil {
		h.signal()
	}
	if k != nil {
		k.sessionEnded(s, reason, h)
	}
	return s.afterOpening(func() {
		if h != nil && h.socket != nil {
			s.srv.released(s, h)
		}
		for _, name := range agreed {
			s.srv.unsubscribed(s, name, reason)
		}
		s.srv.sessionClosed(s, reason)
	})
}

// afterOpening returns f, or leaves it to the one who still runs OnSession.
func (s *Session) afterOpening(f func()) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		return f
	}
	s.finish = f
	return nil
}

// open tells the application of the session, and of its end if that came
// meanwhile.
func (s *Session) open() {
	// Also if the hook ends its goroutine.
	defer func() {
		s.mu.Lock()
		s.opened = true
		finish := s.finish
		s.finish = nil
		s.mu.Unlock()
		if finish != nil {
			finish()
		}
	}()
	s.srv.sessionOpened(s)
}

// Sessions iterates over the live sessions in no particular order.
func (srv *Server) Sessions() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		srv.mu.RLock()
		list := make([]*Session, 0, len(srv.sessions))
		for _, s := range srv.sessions {
			list = append(list, s)
		}
		srv.mu.RUnlock()
		for _, s := range list {
			if !yield(s) {
				return
			}
		}
	}
}

// UserSessions returns the live sessions of one user, in no particular order.
func (srv *Server) UserSessions(user string) []*Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	list := make([]*Session, 0, len(srv.users[user]))
	for s := range srv.users[user] {
		list = append(list, s)
	}
	return list
}
