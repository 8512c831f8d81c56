//! candle: the network, its training, its quantising, and running it exactly in integers.
//!
//! Training works in floats; what it delivers is an integer [`probity_strategy::Model`], and the policy parameters are
//! chosen by running the integer policy. [`Candle`] runs that model with candle and is exact to the last bit.

mod adamw;
mod cell;
mod checkpoint;
mod error;
mod float_net;
mod grid;
mod model_file;
mod network;
mod quantise;
mod report;
mod series;
mod simulate;
mod surrogate;
mod train;

pub use error::LearnError;
pub use float_net::FloatNet;
pub use model_file::{MODEL_FILE_VERSION, ModelFile};
pub use network::{Candle, forward_batch};
pub use report::{ImportReport, QuantisationReport, import, quantisation};
pub use series::Series;
pub use simulate::{Simulated, simulate};
pub use train::{TrainConfig, TrainReport, Trained, train, train_in};
