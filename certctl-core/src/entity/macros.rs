//! The two macros that declare stored things.

/// Declares a struct, its typed fields and its [`Schema`](crate::entity::Schema) from one list of columns.
///
/// The first column must be `id`, of a type that is `AsRef<str>`.
///
/// With `of` another entity instead of a table it is an excerpt: some of that one's columns, for lists that do not look at
/// the others. It can be read and filtered like any entity and never be written.
#[macro_export]
macro_rules! entity {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident in $table:literal as $role:ident, fields $fields:ident {
            $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* $(,)?
        }
        indexes [ $($index:expr),* $(,)? ]
        references [ $($column:ident -> $target:ty),* $(,)? ]
    ) => {
        $crate::entity! {
            @table $table, $crate::entity!(@mutable $role), &[ $($index),* ],
            &[ $($crate::entity::Reference {
                column: stringify!($column),
                target: || <$target as $crate::entity::Entity>::SCHEMA,
            }),* ];
            $(#[$meta])* $vis struct $name, $fields { $( $(#[$field_meta])* $field : $type ),* }
        }
        impl $crate::entity::$role for $name {}
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident of $whole:ty, fields $fields:ident {
            $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* $(,)?
        }
    ) => {
        $crate::entity! {
            @table <$whole as $crate::entity::Entity>::SCHEMA.table,
            <$whole as $crate::entity::Entity>::SCHEMA.mutable, &[], &[];
            $(#[$meta])* $vis struct $name, $fields { $( $(#[$field_meta])* $field : $type ),* }
        }
    };
    (
        @table $table:expr, $mutable:expr, $indexes:expr, $references:expr;
        $(#[$meta:meta])*
        $vis:vis struct $name:ident, $fields:ident { $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name { $( $(#[$field_meta])* pub $field: $type ),* }

        #[doc = concat!("The columns of [`", stringify!($name), "`], for filters and sorts.")]
        #[derive(Clone, Copy, Debug)]
        $vis struct $fields { $(
            $(#[$field_meta])*
            pub $field: $crate::entity::Field<$name, $type>
        ),* }

        impl $name {
            /// The columns, for filters and sorts.
            pub const FIELDS: $fields = {
                #[allow(non_camel_case_types, clippy::enum_variant_names)]
                enum Position { $($field),* }
                $fields { $($field: $crate::entity::Field::at(Position::$field as usize)),* }
            };
        }

        impl $crate::entity::Entity for $name {
            const SCHEMA: &'static $crate::entity::Schema = &$crate::entity::Schema {
                table: $table,
                columns: &[ $($crate::entity::Column {
                    name: stringify!($field),
                    kind: <$type as $crate::entity::Cell>::KIND,
                    nullable: <$type as $crate::entity::Cell>::NULLABLE,
                }),* ],
                indexes: $indexes,
                references: $references,
                mutable: $mutable,
            };
            fn id(&self) -> &str { self.id.as_ref() }
            fn to_values(&self) -> Vec<$crate::entity::Value> {
                vec![ $($crate::entity::Cell::to_value(&self.$field)),* ]
            }
            fn from_values(values: Vec<$crate::entity::Value>) -> Result<Self, &'static str> {
                let mut values = values.into_iter();
                Ok(Self { $($field: values.next()
                    .and_then($crate::entity::Cell::from_value)
                    .ok_or(stringify!($field))?),* })
            }
        }
    };
    (@mutable Mutable) => { true };
    (@mutable AppendOnly) => { false };
}

/// Declares an enum whose variants have a stored and wire name.
///
/// Gives `ALL`, `name()`, `Display`, `FromStr`, serde as a string, a JSON schema, and a text [`Cell`](crate::entity::Cell).
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $( $(#[$variant_meta])* $variant ),* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[ $(Self::$variant),* ];
            /// The name in the store and on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    other => Err($crate::domain::UnknownName::new(other, &[ $($text),* ])),
                }
            }
        }
        impl $crate::entity::Cell for $name {
            const KIND: $crate::entity::Kind = $crate::entity::Kind::Text;
            fn to_value(&self) -> $crate::entity::Value {
                $crate::entity::Value::Text(self.name().into())
            }
            fn from_value(value: $crate::entity::Value) -> Option<Self> {
                value.as_text()?.parse().ok()
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                // As a value: the macro would go through an array word by word, and deeper than compilers go.
                let words: &[&str] = &[ $($text),* ];
                schemars::json_schema!({ "type": "string", "enum": words })
            }
        }
    };
}
