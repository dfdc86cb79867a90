//! The product on a real cluster: what a person types, and what the tables then show. Tests run one after another, in
//! the order of their names.

mod a_first_view;
mod b_faults;
mod c_replay;
mod d_change;
mod e_bad_input;
mod f_lifecycle;
mod g_helm;
mod h_secured;
mod i_documentation;
