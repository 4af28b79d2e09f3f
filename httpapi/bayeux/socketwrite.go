package bayeux

import (
	"errors"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// outgoing is a WebSocket frame to be written. With a session it carries
// messages that are in flight.
type outgoing struct {
	frame   []byte
	settles *Session
	result  []byte    // a message in the frame that is in no queue
	own     *ownFrame // whose memory the frame is; nil for another
}

func (o *outgoing) settle(written bool) {
	switch {
	case o.settles == nil:
	case o.result != nil:
		o.settles.resultWritten(o.result, written)
	default:
		o.settles.written(true, written, false)
	}
}

// few frames can be written together without memory to list them.
const few = 4

func appendFrames(list [][]byte, batch []outgoing) [][]byte {
	for _, out := range batch {
		list = append(list, out.frame)
	}
	return list
}

func (k *socket) send(out outgoing) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		out.settle(false)
		return
	}
	k.pending = append(k.pending, out)
	k.bytes += len(out.frame)
	k.mu.Unlock()
	k.kick()
}

// kick makes sure that somebody writes.
func (k *socket) kick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.more = true
	if k.writing || k.closed || k.corked {
		return
	}
	k.writing = true
	k.srv.outbox.enqueue(k)
}

// waitForNext reports whether what has come of a frame is to be written together
// with what will come of the next one, which has arrived already. That spares a
// client that sends much at once, and the server, most of the writing.
func (k *socket) waitForNext(x *exchange) bool {
	const (
		mostFrames = 16
		mostBytes  = 16 << 10
		longest    = time.Millisecond
	)
	if !x.onlyReplies() || !k.conn.Ready() {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.behind == 0 {
		k.since = now
	}
	if k.closed || k.writing || k.code != 0 || k.behind >= mostFrames || k.bytes >= mostBytes || now.Sub(k.since) > longest {
		return false
	}
	k.stashLocked()
	k.behind++
	k.busy = false
	return true
}

// stashLocked puts the reader's own frame behind what is pending.
func (k *socket) stashLocked() {
	if k.own == nil {
		return
	}
	out := k.own.finish()
	k.more = k.more || out.settles != nil
	k.pending = append(k.pending, out)
	k.bytes += len(out.frame)
	k.own = nil
}

// mayTakeLong is called before something for which the replies to earlier frames
// are not to wait.
func (x *exchange) mayTakeLong() {
	if k := x.socket; k != nil && k.behind > 0 { // only the reader changes it
		k.writeOut(true)
	}
}

// writeBehind writes what waits for a frame of which nothing comes. It is for
// the reader.
func (k *socket) writeBehind() {
	if k.behind > 0 {
		k.processed()
	}
}

// processed writes what has come of a frame. It is for the reader, who does so
// itself.
func (k *socket) processed() { k.writeOut(false) }

// writeOut writes what the reader has collected, and tells whether it is still
// busy with a frame.
func (k *socket) writeOut(busy bool) {
	var room [few]outgoing
	k.mu.Lock()
	if k.behind > 0 {
		k.behind = 0
		k.stashLocked()
	}
	own, more := k.own, k.more
	k.own, k.busy, k.corked = nil, busy, false
	batch := room[:0]
	if own != nil {
		batch = append(batch, own.finish())
		// What was delivered after the result waits for it without a word.
		more = more || own.s != nil
	}
	if k.closed {
		k.mu.Unlock()
		settle(batch, false)
		return
	}
	if k.writing {
		// Whoever writes goes on with it.
		for _, out := range batch {
			k.pending = append(k.pending, out)
			k.bytes += len(out.frame)
		}
		k.mu.Unlock()
		return
	}
	k.writing = true
	batch, end := k.takeLocked(batch, more)
	k.mu.Unlock()
	if k.writeBatch(batch, end) && !k.finished() {
		k.write()
	}
}

// write writes what is possible without waiting: neither a reader nor a socket
// in the outbox may be kept by a client that does not read. Whoever calls it is
// the writer, and is no longer when it returns.
func (k *socket) write() {
	const most = 2 // after that it is the others' turn
	var room [few]outgoing
	for range most {
		k.mu.Lock()
		batch, end := k.takeLocked(room[:0], true)
		k.mu.Unlock()
		if !k.writeBatch(batch, end) || k.finished() {
			return
		}
	}
	k.srv.outbox.enqueue(k)
}

// writeBatch writes what takeLocked has returned. It reports whether the caller
// is still the writer.
func (k *socket) writeBatch(batch []outgoing, end bool) bool {
	if end {
		k.srv.tasks.spawn(k.depart)
		return false
	}
	return len(batch) > 0 && k.tryBatch(batch)
}

// finished reports that there is nothing more to write, and that the caller is
// no longer the writer.
func (k *socket) finished() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.more || len(k.pending) > 0 || k.code != 0 || k.closed {
		return false
	}
	k.writing = false
	return true
}

// takeLocked appends all that is to be written now, messages of the session only
// if they are asked for. Without anything the caller is no longer the writer,
// unless it has to end the connection. Who does that stays the writer, so that
// there is no other.
func (k *socket) takeLocked(batch []outgoing, messages bool) (_ []outgoing, end bool) {
	k.more = false
	if k.closed {
		k.writing = false
		return nil, false
	}
	if len(k.pending) > 0 {
		batch = append(batch, k.pending...)
		clear(k.pending)
		if k.pending = k.pending[:0]; cap(k.pending) > few {
			k.pending = nil
		}
		k.bytes = 0
		k.room.Broadcast()
	}
	if s := k.session; messages && s != nil && k.code == 0 {
		batch = k.takeMessages(batch, s)
	}
	if len(batch) > 0 {
		return batch, false
	}
	// The replies to a frame that is being processed are still to come.
	end = k.code != 0 && !k.busy
	k.writing = end
	return nil, end
}

// takeMessages appends messages that wait for the client. A result that is ahead
// of them in the batch is settled together with them.
func (k *socket) takeMessages(batch []outgoing, s *Session) []outgoing {
	var room [16]*Prepared
	behind := slices.ContainsFunc(batch, func(o outgoing) bool { return o.result != nil && o.settles == s })
	list := s.takeFor(k, room[:0], behind)
	if len(list) == 0 {
		return batch
	}
	batch = k.srv.appendMessages(batch, list)
	if !behind {
		batch[len(batch)-1].settles = s
	}
	return batch
}

// tryBatch reports whether the batch was written and the caller may go on. If it
// has to wait for the client, a goroutine of its own does so.
func (k *socket) tryBatch(batch []outgoing) bool {
	var room [few][]byte
	done, err := k.conn.TryWriteFrames(appendFrames(room[:0], batch)...)
	begun := err == nil && !done
	if !begun && !errors.Is(err, wsframe.ErrWouldWait) {
		return k.wrote(batch, err)
	}
	k.writeLater(slices.Clone(batch), begun)
	return false
}

// writeLater writes the batch, or the rest of it, on a goroutine of its own.
func (k *socket) writeLater(batch []outgoing, begun bool) {
	k.srv.tasks.spawn(func() {
		var err error
		if begun {
			err = k.conn.Flush()
		} else {
			err = k.conn.WriteFrames(appendFrames(nil, batch)...)
		}
		if k.wrote(batch, err) {
			k.srv.outbox.enqueue(k)
		}
	})
}

// wrote settles what was written or not. It reports whether the connection
// still works.
func (k *socket) wrote(batch []outgoing, err error) bool {
	settle(batch, err == nil)
	for i := range batch {
		if own := batch[i].own; own != nil {
			k.srv.spares.reuseFrame(own)
		}
	}
	if err != nil {
		// The connection is being closed, or the failure has dropped it.
		k.fail()
	}
	return err == nil
}

func settle(batch []outgoing, written bool) {
	for i := range batch {
		batch[i].settle(written)
	}
}

// depart closes the connection as was asked for.
func (k *socket) depart() {
	k.mu.Lock()
	code, reason := k.code, k.reason
	k.mu.Unlock()
	k.close(code, reason)
	k.fail()
}

// close says goodbye and waits a few seconds for the other end to do so.
func (k *socket) close(code int, reason string) {
	// Whether the other end heard it makes no difference.
	_ = k.conn.Close(code, reason)
}

// takeFor hands out messages to a socket, if it is still the way to the
// client. In acknowledgement mode they leave with connects only. Those behind
// are for a writer that has others in hand.
func (s *Session) takeFor(k *socket, room []*Prepared, behind bool) []*Prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.socket != k || s.connectOnly || s.busy > 0 || !s.queue.prompt() {
		return nil
	}
	if behind {
		return s.queue.takeBehind(room, s.srv.opts.MaxResponseBytes)
	}
	return s.queue.takeInto(room, s.srv.opts.MaxResponseBytes)
}

// fail drops what is pending; its messages return to their queues.
func (k *socket) fail() {
	k.mu.Lock()
	pending := k.pending
	k.pending, k.bytes, k.closed, k.writing = nil, 0, true, false
	k.room.Broadcast()
	k.mu.Unlock()
	settle(pending, false)
}
