//! What a column can hold.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The type of a column; each database dialect names it in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 without U+0000, compared bytewise.
    Text,
    /// A signed 64-bit integer; times are microseconds.
    Integer,
    /// True or false.
    Boolean,
    /// Any bytes.
    Bytes,
}

/// One cell. `Ord` is the order that every backend must sort by: bytewise for text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// No value; never equal to another null in a unique index.
    Null,
    /// A [`Kind::Boolean`].
    Boolean(bool),
    /// A [`Kind::Integer`].
    Integer(i64),
    /// A [`Kind::Text`].
    Text(String),
    /// A [`Kind::Bytes`].
    Bytes(Vec<u8>),
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A Rust type that fits in one column.
pub trait Cell: Sized {
    /// The column's type.
    const KIND: Kind;
    /// Whether the column may be null.
    const NULLABLE: bool = false;
    /// The cell to store.
    fn to_value(&self) -> Value;
    /// The inverse; `None` when the stored value is not one that this type can hold.
    fn from_value(value: Value) -> Option<Self>;
}

impl Cell for String {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl Cell for i64 {
    const KIND: Kind = Kind::Integer;
    fn to_value(&self) -> Value {
        Value::Integer(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(number) } else { None }
    }
}

impl Cell for bool {
    const KIND: Kind = Kind::Boolean;
    fn to_value(&self) -> Value {
        Value::Boolean(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Boolean(flag) = value { Some(flag) } else { None }
    }
}

impl Cell for Vec<u8> {
    const KIND: Kind = Kind::Bytes;
    fn to_value(&self) -> Value {
        Value::Bytes(self.clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
    }
}

impl<T: Cell> Cell for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Cell::to_value)
    }
    fn from_value(value: Value) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// A value stored as JSON text. The database never looks inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Cell for Json<T> {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        // Only a map with keys that are no strings fails to serialize; no entity holds one.
        serde_json::to_string(&self.0).map_or(Value::Null, Value::Text)
    }
    fn from_value(value: Value) -> Option<Self> {
        serde_json::from_str(value.as_text()?).ok().map(Self)
    }
}

impl<T> std::ops::Deref for Json<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
