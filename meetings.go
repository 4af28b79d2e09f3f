package webconferencing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A provider's meeting is kept as a value beside the call, for each run one.
// What must still be done about a run (follow a change, end the meeting) is a
// second value that is there as long as the run: whichever node drives the
// provider finds it, also after a crash.

// maxMeetingData limits what a provider keeps for one run or user.
const maxMeetingData = 16 << 10

// meetingRecord is the stored form of a meeting.
type meetingRecord struct {
	Meeting Meeting `json:"meeting"`
}

// openRecord says that a run's meeting may have to be changed and ended.
type openRecord struct {
	Call     CallID `json:"call"`
	Epoch    uint64 `json:"epoch"`
	Provider string `json:"provider"`
	// Told is the print of the title, schedule and participants that the
	// provider knows.
	Told string `json:"told"`
}

func runKey(id CallID, epoch uint64) string {
	return fmt.Sprintf("%03d/%s/%016x", len(id), id, epoch)
}

// meetingKey has the provider in it, since a call can change its provider.
func (e *entry) meetingKey(id CallID, epoch uint64) string {
	return "meeting/" + e.info.Type + "/" + runKey(id, epoch)
}

func openPrefix(typ string) string { return "open-meeting/" + typ + "/" }

// told is a print of what an [Updater] follows.
func told(c *Call) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %d", c.Title, c.ScheduledStart.UnixMilli(), c.ScheduledEnd.UnixMilli())
	for _, p := range c.Participants {
		fmt.Fprintf(h, " %q", string(p.ID))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// storedMeeting reads what is kept of a run and the revision of the value, 0
// if there is none.
func (r *Registry) storedMeeting(ctx context.Context, e *entry, id CallID, epoch uint64) (Meeting, uint64, error) {
	v, err := r.service.store.Value(ctx, e.meetingKey(id, epoch))
	if errors.Is(err, ErrNotFound) {
		return Meeting{}, 0, nil
	}
	if err != nil {
		return Meeting{}, 0, err
	}
	var rec meetingRecord
	if err := json.Unmarshal(v.Data, &rec); err != nil {
		return Meeting{}, 0, fmt.Errorf("decode meeting: %w", err)
	}
	return rec.Meeting, v.Revision, nil
}

// meeting returns the meeting of the call's present run, and has it prepared if
// there is none yet. Nodes that prepare at the same time get the same one: the
// first that is written counts.
func (r *Registry) meeting(ctx context.Context, e *entry, c *Call) (Meeting, error) {
	if !e.keepsMeetings() {
		return Meeting{}, nil
	}
	m, revision, err := r.storedMeeting(ctx, e, c.ID, c.Epoch)
	if err != nil || revision != 0 && !m.expired(r.service.now()) {
		return m, err
	}
	key := e.meetingKey(c.ID, c.Epoch)
	// Whoever joins at the same time waits for one preparation, which must
	// not end when the first of them hangs up.
	work := r.meetings.DoChan(key, func() (v any, err error) {
		defer func() {
			if v := recover(); v != nil {
				r.service.logPanic(ctx, "preparation of a meeting", v)
				err = &Error{Code: CodeInternal, Message: "internal error"}
			}
		}()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*r.service.opts.CallbackTimeout)
		defer cancel()
		return r.prepare(ctx, e, c)
	})
	select {
	case res := <-work:
		m, _ := res.Val.(Meeting)
		return m, res.Err
	case <-ctx.Done():
		return Meeting{}, ctx.Err()
	}
}

func (m *Meeting) expired(now time.Time) bool { return !m.Expires.IsZero() && !now.Before(m.Expires) }

func (r *Registry) prepare(ctx context.Context, e *entry, c *Call) (Meeting, error) {
	s := r.service
	for range nodeRetries {
		stored, revision, err := r.storedMeeting(ctx, e, c.ID, c.Epoch)
		if err != nil || revision != 0 && !stored.expired(s.now()) {
			return stored, err
		}
		var m Meeting
		if e.preparer != nil {
			m, err = ask(ctx, r, e, func(ctx context.Context) (Meeting, error) { return e.preparer.Prepare(ctx, c.Clone()) })
			if err != nil {
				return Meeting{}, err
			}
		}
		keep, err := r.keepMeeting(e, c.ID, c.Epoch, revision, m)
		if err != nil {
			return Meeting{}, err
		}
		change := &Change{Values: []ValueChange{keep}}
		if e.updater != nil || e.ender != nil {
			open, err := r.openChange(e, openRecord{Call: c.ID, Epoch: c.Epoch, Provider: c.Provider, Told: told(c)}, AnyRevision)
			if err != nil {
				return Meeting{}, err
			}
			change.Values = append(change.Values, open)
		}
		_, err = s.store.Commit(ctx, change)
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrOutcomeUnknown) {
			continue
		}
		return m, err
	}
	return Meeting{}, tooManyChanges()
}

// keepMeeting is the change that stores a meeting. The value outlives the run,
// since recordings are asked for by it.
func (r *Registry) keepMeeting(e *entry, id CallID, epoch, expect uint64, m Meeting) (ValueChange, error) {
	if len(m.Data) > maxMeetingData || len(m.Data) > 0 && !json.Valid(m.Data) {
		return ValueChange{}, &Error{
			Code: CodeInternal, Message: "internal error",
			Err: fmt.Errorf("the provider's data of a meeting are not JSON of at most %d bytes", maxMeetingData),
		}
	}
	data, err := json.Marshal(meetingRecord{Meeting: m})
	if err != nil {
		return ValueChange{}, fmt.Errorf("encode meeting: %w", err)
	}
	s := r.service
	until := s.now().Add(s.opts.MaxCallAge + s.opts.HistoryRetention)
	return ValueChange{Key: e.meetingKey(id, epoch), Expect: expect, Data: data, Expires: until}, nil
}

// openChange stores what is to be done about a run; whoever has not got a
// provider to end a meeting a week after the run's longest time gives up.
func (r *Registry) openChange(e *entry, rec openRecord, expect uint64) (ValueChange, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return ValueChange{}, fmt.Errorf("encode open meeting: %w", err)
	}
	return ValueChange{
		Key: openPrefix(e.info.Type) + runKey(rec.Call, rec.Epoch), Expect: expect, Data: data,
		Expires: r.service.now().Add(r.service.opts.MaxCallAge + 7*24*time.Hour),
	}, nil
}

// request names the run of a call for a provider, with its meeting.
func (r *Registry) request(ctx context.Context, e *entry, c *Call) (MeetingRequest, error) {
	m, _, err := r.storedMeeting(ctx, e, c.ID, c.Epoch)
	return MeetingRequest{Call: c.Clone(), Meeting: m}, err
}

// grant asks the call's provider what the device needs.
func (r *Registry) grant(ctx context.Context, by Actor, c *Call, seat SeatRef) (*Grant, error) {
	e := r.byType[c.Provider]
	if e == nil || e.joiner == nil && !e.keepsMeetings() {
		return nil, nil
	}
	m, err := r.meeting(ctx, e, c)
	if err != nil || e.joiner == nil {
		return nil, err
	}
	s := r.service
	user, err := s.user(ctx, by.User)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	moderator, err := s.moderates(ctx, by, c)
	if err != nil {
		s.logger.WarnContext(ctx, "nobody could say who moderates, so this one does not", "call", c.ID, "user", by.User, "error", err)
	}
	req := JoinRequest{Call: c.Clone(), User: user, Actor: by, Seat: seat, Meeting: m, Moderator: moderator}
	if err := s.interceptJoin(ctx, &req); err != nil {
		return nil, err
	}
	g, err := ask(ctx, r, e, func(ctx context.Context) (*Grant, error) { return e.joiner.Join(ctx, req) })
	if err != nil || g == nil {
		return nil, err
	}
	own := *g // the provider may hand out the same one again
	return &own, s.interceptGrant(ctx, req, &own)
}
