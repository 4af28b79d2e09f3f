package webconferencing

import (
	"context"
	"iter"
	"time"
)

// Store keeps calls, their deadlines, small values and the journal. It is the
// only truth: everything that a [Service] acknowledges has been committed here
// first, and every event is read back from here.
//
// A Store is dumb on purpose. Validation, authorisation, retries and the
// meaning of everything live in Service; package store/storetest proves that
// an implementation keeps the contract below.
//
// All methods may be called concurrently. Values passed in belong to the
// caller again when the method returns; values returned belong to the caller.
// Times are stored to the millisecond at least, in UTC. A cancelled ctx makes a
// method return soon with an error that wraps ctx.Err(); for Commit that means
// "nothing was written" only if it does not wrap [ErrOutcomeUnknown] as well.
// After the store was closed every method returns [ErrClosed].
type Store interface {
	// Call returns the record of a call, or [ErrNotFound].
	Call(ctx context.Context, id CallID) (*Call, error)

	// Calls yields the records that carry q.Key, ordered by id, as they are
	// at the time they are read; changes made meanwhile may or may not be
	// seen, a record that is unchanged is yielded exactly once. An error is
	// the last pair. Nothing is locked while the loop's body runs, so the
	// body may call the store.
	Calls(ctx context.Context, q CallQuery) iter.Seq2[*Call, error]

	// Due returns up to limit calls whose deadline is at or before until,
	// earliest first.
	Due(ctx context.Context, until time.Time, limit int) ([]CallID, error)

	// Events returns up to limit events of the topic after the position,
	// in order, [AllTopics] for the whole journal. It returns an empty slice
	// when there is nothing newer, and [ErrPositionGone] when events after
	// the position were trimmed. Once a position was returned, no event at
	// or before it ever appears later.
	Events(ctx context.Context, topic Topic, after Position, limit int) ([]Event, error)

	// Value returns a small record by its key, or [ErrNotFound]. A record
	// whose time has come is as good as gone.
	Value(ctx context.Context, key string) (*Value, error)

	// Values yields the records whose keys begin with q.Prefix, ordered by
	// key, under the same rules as Calls. Records whose time has come are left
	// out.
	Values(ctx context.Context, q ValueQuery) iter.Seq2[*Value, error]

	// Commit applies the whole change or nothing, durably: when it returns
	// nil the change survives the death of the process and of the machine.
	// It returns the position of the change's last event, or of the
	// journal's end if it has none. [ErrConflict] means that an expectation
	// did not hold and nothing was written; [ErrOutcomeUnknown] that the
	// store can't tell. Commits of concurrent callers may share one
	// transaction; one's conflict must not fail another.
	Commit(ctx context.Context, c *Change) (Position, error)
}

// CallQuery selects calls.
type CallQuery struct {
	// Key is one of [Change].Keys; "" selects all calls.
	Key string
	// After is where to go on: only ids greater than it.
	After CallID
	// Limit is the largest number of calls to yield. Defaults to all.
	Limit int
}

// ValueQuery selects values.
type ValueQuery struct {
	// Prefix is how the keys begin; "" selects all values.
	Prefix string
	// After is where to go on: only keys greater than it.
	After string
	// Limit is the largest number of values to yield. Defaults to all.
	Limit int
}

// Change is what one commit writes.
type Change struct {
	// Call is the new record, stored with its Version. Nil changes no call.
	Call *Call
	// Expect is the Version that the stored record must have now; 0 means
	// that there must be none.
	Expect uint64
	// Keys are the index keys of the record from now on.
	Keys []string
	// Deadline is when [Store.Due] begins to return the call; zero is never.
	Deadline time.Time
	// Purge removes the record Call.ID instead of writing it; Expect holds
	// for it too. The journal keeps its events.
	Purge bool

	// Values are written along with the call.
	Values []ValueChange
	// Events are appended to the journal in this order.
	Events []Event
	// TrimBefore drops journal events with a Time before it. Defaults to
	// none.
	TrimBefore time.Time
}

// Value is a small record under a key of the caller's choice.
type Value struct {
	Key string
	// Revision grows with each write of the key, from 1.
	Revision uint64
	Data     []byte
	// Expires is when the record may vanish; zero is never.
	Expires time.Time
}

// ValueChange writes or removes a [Value].
type ValueChange struct {
	Key string
	// Expect is the revision that the stored value must have; 0 means that
	// there must be none, AnyRevision that it does not matter.
	Expect uint64
	// Data is the new content; nil removes the value.
	Data []byte
	// Expires is when the record may vanish; zero is never.
	Expires time.Time
}

// AnyRevision in [ValueChange] writes whatever the stored revision is.
const AnyRevision = ^uint64(0)

// StoreClock is a [Store] that knows the time which all nodes share, such as a
// database server's. A Service then measures leases and deadlines by it. A
// store that only one process can open should not implement it.
type StoreClock interface {
	// Now returns the store's present time.
	Now(ctx context.Context) (time.Time, error)
}
