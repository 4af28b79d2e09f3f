package webconferencing

import (
	"encoding/json"
	"time"
)

// Position is the place of an event in the journal. Positions grow within the
// whole journal and so within each topic; they may have gaps. 0 stands before
// the first event. Clients store positions and never compute with them.
type Position uint64

// Topic names a stream of the journal. An event stands once in the journal and
// belongs to any number of topics.
type Topic string

// AllTopics is the whole journal in order; only [Store.Events] takes it.
const AllTopics Topic = ""

// UserTopic is what one user is told: calls that start and stop, parties that
// join and leave.
func UserTopic(id UserID) Topic { return Topic("user/" + id) }

// CallTopic is the life of one call, every transition of it.
func CallTopic(id CallID) Topic { return Topic("call/" + id) }

// DataTopic carries what the parties of a call send each other: session
// descriptions, candidates, mute states.
func DataTopic(id CallID) Topic { return Topic("data/" + id) }

// EventType says what happened.
type EventType string

// The types of an [Event].
const (
	// EventState: the call was started, stopped or removed; State has the new
	// one, Reason says why it stopped.
	EventState EventType = "call_state"
	// EventJoined: a device of Part joined.
	EventJoined EventType = "call_joined"
	// EventLeft: the last device of Part left.
	EventLeft EventType = "call_leaved"
	// EventDeviceLeft: a device of Part left and another one of the same user
	// stays in the call.
	EventDeviceLeft EventType = "call_device_leaved"
	// EventDeclined: Part does not want to join; Reason is [ReasonDeclined] or
	// [ReasonBusy].
	EventDeclined EventType = "call_declined"
	// EventRinging: a device of Part rings. Count says how many do.
	EventRinging EventType = "call_ringing"
	// EventRingEnded: the ring of Part came to the outcome Ring, and Legs say
	// to which one on each of his devices. It is told to Part's devices, if
	// any of them had said that it rings.
	EventRingEnded EventType = "call_ring_ended"
	// EventReplaced: Part went on on another device; this event is for the
	// device Client, which is no longer in the call.
	EventReplaced EventType = "call_seat_replaced"
	// EventMissed: the ring for the users told ended without an answer, while
	// the call itself may go on.
	EventMissed EventType = "call_missed"
	// EventUpdated: title, owner, provider, schedule, participants, guests or
	// invites changed.
	EventUpdated EventType = "call_updated"
	// EventData: a party sent Data to the other parties.
	EventData EventType = "call_data"
	// EventNoted: a change that only the journal shows, such as an admission
	// by invite or a seat taken over by another node.
	EventNoted EventType = "call_noted"
	// EventHistory: the history of the user changed without a call: it was
	// marked as seen, or erased. It belongs to no call.
	EventHistory EventType = "call_history"
	// EventReset is not in the journal: a [Subscription] lost events and
	// whoever listens has to read the state anew.
	EventReset EventType = "reset"
)

// Reason says why a call stopped.
type Reason string

// The reasons of a stop. The wire has the same words.
const (
	ReasonEnded     Reason = "ended"     // hung up, or the last one left
	ReasonDeclined  Reason = "declined"  // the callee did not want it
	ReasonMissed    Reason = "missed"    // nobody answered in time
	ReasonCancelled Reason = "cancelled" // the caller hung up first
	ReasonBusy      Reason = "busy"      // the callee was in another call
	ReasonReplaced  Reason = "replaced"  // a new call took its place
	ReasonExpired   Reason = "expired"   // everybody vanished, or it grew too old
)

// Cause says what brought a transition about, for the journal.
type Cause string

// The causes of a transition.
const (
	CauseCommand  Cause = "command"   // somebody asked for it
	CauseExpired  Cause = "expired"   // a seat's lease ran out
	CauseNodeLost Cause = "node_lost" // the seat's node died and the device did not return
	CauseDeadline Cause = "deadline"  // ring time or maximum age
	CauseRemoved  Cause = "removed"   // no longer a participant
	CauseTakeover Cause = "takeover"  // the same user went on on another device
	CauseAdmin    Cause = "admin"     // an administrator stepped in
	CauseReplaced Cause = "replaced"  // another call took the place
	CauseProvider Cause = "provider"  // the provider saw it, see [Evidence]
)

// Event is one entry of the journal. Events are immutable; whoever is handed
// one must not change it or what it points to.
type Event struct {
	// Position is given by the store at commit.
	Position Position `json:"-"`
	// Topics are the streams the event belongs to.
	Topics []Topic `json:"-"`

	Type    EventType `json:"type"`
	CallID  CallID    `json:"callId"`
	Epoch   uint64    `json:"epoch,omitempty"`
	Version uint64    `json:"version,omitempty"`

	Provider string   `json:"provider,omitempty"`
	Owner    Ref      `json:"owner,omitzero"`
	Title    string   `json:"title,omitempty"`
	State    State    `json:"state,omitempty"`
	Reason   Reason   `json:"reason,omitempty"`
	Part     UserID   `json:"part,omitempty"`
	Client   ClientID `json:"client,omitempty"`

	// Waiting tells a user who is rung that he is in another call.
	Waiting bool `json:"waiting,omitempty"`
	// Silent tells a user who is rung that he does not want to be disturbed:
	// show it, make no sound.
	Silent bool `json:"silent,omitempty"`
	Count  int  `json:"count,omitempty"`
	// Ring and Legs are the outcome of a ring, with EventRingEnded.
	Ring RingState `json:"ring,omitempty"`
	Legs []RingLeg `json:"legs,omitempty"`

	Actor UserID `json:"actor,omitempty"`
	Cause Cause  `json:"cause,omitempty"`
	// Evidence says in a few words what the cause rests on, for the journal:
	// the device that asked, or when a lease was last renewed.
	Evidence string `json:"evidence,omitempty"`
	// Ref is [Actor].Ref of the command.
	Ref  string    `json:"ref,omitempty"`
	Node string    `json:"node,omitempty"`
	Time time.Time `json:"time"`

	// Data is the payload of an EventData, a JSON object.
	Data json.RawMessage `json:"data,omitempty"`
}
