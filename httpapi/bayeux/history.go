package bayeux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strconv"
	"sync"
)

// ReplayAll is the replay id by which a client asks for everything there is,
// ReplayNew the one for new messages only.
const (
	ReplayNew int64 = -1
	ReplayAll int64 = -2
)

// ErrReplayID says that messages after a replay id cannot be told: it is too
// old, or was never given.
var ErrReplayID = errors.New("bayeux: unknown replay id")

// errPatternReplay says that a replay was asked for by a pattern, which would
// bring less than the client believes.
var errPatternReplay = errors.New("replay of a pattern")

// History keeps messages of broadcast channels for the replay extension, which
// follows the convention of Salesforce: data.event.replayId in each message
// tells its place, and a client subscribes with ext.replay {"/channel": id}, the
// id being the last one that it has, -2 for everything that is kept ([ReplayAll])
// or -1 for new messages only ([ReplayNew]), as without ext.replay. Nothing needs
// to be said in the handshake. CometD's client says, for instance,
//
//	cometd.subscribe("/chat/lobby", show, {ext: {replay: {"/chat/lobby": last ?? -2}}}, reply => {
//		if (reply.error === "400::replay_id_invalid") …
//	})
//
// An id that is not known any more, or was never given, refuses the subscription
// with "400::replay_id_invalid": the client has missed something, and subscribes
// again with -2. Only concrete channels have a replay; asking for one with a
// pattern is refused with "400::replay_pattern_invalid". What the program itself
// sends with [Server.Publish] is kept too, what it sends with
// [Server.PublishPrepared] or Deliver is not.
//
// Calls for one channel come one at a time, with a lock held under which the
// server distributes: an implementation must not call the server.
type History interface {
	// Record keeps a message before it is distributed and returns the data to
	// distribute, which holds the replay id. An error refuses the message.
	// Data must not be kept without copying.
	Record(ctx context.Context, channel string, data json.RawMessage) (json.RawMessage, error)

	// Since returns the data, as Record returned it, of the messages of one
	// concrete channel after the replay id, oldest first; everything for
	// ReplayAll. The error is [ErrReplayID] if the id is not known any more,
	// or never was. The result is not changed by the caller.
	Since(ctx context.Context, channel string, after int64) ([]json.RawMessage, error)
}

// sequence keeps record, distribution and replay of a channel apart, so that a
// subscriber misses nothing and gets nothing twice. Channels share locks.
type sequence struct {
	seed  maphash.Seed
	locks [64]sync.Mutex
}

func newSequence() *sequence { return &sequence{seed: maphash.MakeSeed()} }

func (q *sequence) lock(channel string) *sync.Mutex {
	mu := &q.locks[q.place(channel)]
	mu.Lock()
	return mu
}

func (q *sequence) place(channel string) int {
	return int(maphash.String(q.seed, channel) % uint64(len(q.locks)))
}

// lockAll takes the locks of several channels, in an order that is the same for
// everybody, and returns what gives them back.
func (q *sequence) lockAll(channels iter.Seq[string]) (unlock func()) {
	var places []int
	for channel := range channels {
		places = append(places, q.place(channel))
	}
	slices.Sort(places)
	places = slices.Compact(places)
	for _, i := range places {
		q.locks[i].Lock()
	}
	return func() {
		for _, i := range places {
			q.locks[i].Unlock()
		}
	}
}

// replayRequest reads the replay id that a subscribe message names for a
// channel.
func replayRequest(m *Message, channel string) (after int64, ok bool, err error) {
	raw, found := m.Ext("replay")
	if !found {
		return ReplayNew, false, nil
	}
	for _, f := range members(raw) {
		if f.name != channel && f.name != channel+"/" {
			continue
		}
		text := string(f.value)
		if s, isString := stringValue(f.value); isString {
			text = s
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < ReplayAll {
			return 0, false, ErrReplayID
		}
		return n, n != ReplayNew, nil
	}
	return ReplayNew, false, nil
}

// missed returns what a new subscriber missed on the channels after the given
// ids. Of more than may wait for a session, a client that asked for all gets the
// newest; one that asked for what follows an id is told that this cannot be had.
func (srv *Server) missed(ctx context.Context, s *Session, channels []string, after map[string]int64) ([]*Prepared, error) {
	s.mu.Lock()
	count, bytes := srv.opts.MaxQueue-s.queue.replayed, srv.opts.MaxQueueBytes-s.queue.replayedBytes
	s.mu.Unlock()
	var all []*Prepared
	for _, channel := range channels {
		id, wants := after[channel]
		if !wants {
			continue
		}
		list, err := srv.opts.History.Since(ctx, channel, id)
		if err != nil {
			return nil, err
		}
		start := len(all)
		for _, data := range slices.Backward(list) {
			if err := checkData(data); err != nil {
				return nil, err
			}
			p := srv.encode(channel, data, nil)
			p.replayed = true
			if count--; count < 0 || p.cost() > bytes {
				if id != ReplayAll {
					return nil, fmt.Errorf("%w: more than %d messages ago", ErrReplayID, len(all)-start)
				}
				break
			}
			bytes -= p.cost()
			all = append(all, p)
		}
		slices.Reverse(all[start:])
	}
	return all, nil
}
