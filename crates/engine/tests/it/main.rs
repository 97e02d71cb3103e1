//! What the engine does around commands, through the dispatcher.

mod pubsub;
