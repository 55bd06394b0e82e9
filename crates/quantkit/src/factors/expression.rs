//! What a factor computes, as an expression over the columns of a panel.

use crate::operators::{CrossSection, Rolling};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A column of bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Volume in units.
    Volume,
}

/// A function of each value on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// Less than nothing of it.
    Negative,
    /// Absolute value.
    Absolute,
    /// Natural logarithm; NaN below zero.
    Logarithm,
    /// −1, 0 or 1.
    Sign,
    /// Square root.
    Root,
    /// What is not finite becomes missing.
    Finite,
}

/// A function of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Both {
    /// Sum.
    Plus,
    /// Difference.
    Minus,
    /// Product.
    Times,
    /// Quotient.
    Over,
    /// Power.
    Power,
    /// The smaller; missing if either is.
    Least,
    /// The greater; missing if either is.
    Greatest,
    /// 1 if the first is less, else 0; 0 also if either is missing.
    Less,
    /// 1 if the first is less or equal, else 0; 0 also if either is missing.
    LessOrEqual,
    /// 1 if they are equal, else 0; 0 also if either is missing.
    Equal,
}

/// An expression. It stands for a value per asset and row, made of rows up to that one.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A column of the panel.
    Column(Column),
    /// A number.
    Number(f64),
    /// Of each value.
    Each(Each, Box<Self>),
    /// Of two values.
    Both(Both, Box<Self>, Box<Self>),
    /// The second where the first is not zero (nor missing), else the third.
    Choice(Box<Self>, Box<Self>, Box<Self>),
    /// Over the last rows.
    Rolling(Rolling, Vec<Self>),
    /// Across the assets.
    Across(CrossSection, Box<Self>),
}

impl Expression {
    /// Rows that its first value needs.
    #[must_use]
    pub fn warm_up(&self) -> usize {
        match self {
            Self::Column(_) | Self::Number(_) => 1,
            Self::Each(_, inner) | Self::Across(_, inner) => inner.warm_up(),
            Self::Both(_, left, right) => left.warm_up().max(right.warm_up()),
            Self::Choice(condition, left, right) => {
                condition.warm_up().max(left.warm_up()).max(right.warm_up())
            }
            Self::Rolling(rolling, inputs) => {
                inputs.iter().map(Self::warm_up).max().unwrap_or(1) + rolling.warm_up() - 1
            }
        }
    }

    fn each(self, each: Each) -> Self {
        Self::Each(each, Box::new(self))
    }

    fn both(self, both: Both, other: impl Into<Self>) -> Self {
        Self::Both(both, Box::new(self), Box::new(other.into()))
    }

    /// Over the last rows, of this alone.
    #[must_use]
    pub fn rolling(self, rolling: Rolling) -> Self {
        Self::Rolling(rolling, vec![self])
    }

    /// Over the last rows, of this and another.
    #[must_use]
    pub fn rolling_with(self, rolling: Rolling, other: Self) -> Self {
        Self::Rolling(rolling, vec![self, other])
    }

    /// Across the assets.
    #[must_use]
    pub fn across(self, across: CrossSection) -> Self {
        Self::Across(across, Box::new(self))
    }

    /// Absolute value.
    #[must_use]
    pub fn abs(self) -> Self {
        self.each(Each::Absolute)
    }

    /// Natural logarithm.
    #[must_use]
    pub fn ln(self) -> Self {
        self.each(Each::Logarithm)
    }

    /// −1, 0 or 1.
    #[must_use]
    pub fn sign(self) -> Self {
        self.each(Each::Sign)
    }

    /// Square root.
    #[must_use]
    pub fn sqrt(self) -> Self {
        self.each(Each::Root)
    }

    /// What is not finite becomes missing.
    #[must_use]
    pub fn finite(self) -> Self {
        self.each(Each::Finite)
    }

    /// Square.
    #[must_use]
    pub fn square(self) -> Self {
        self.clone() * self
    }

    /// Power.
    #[must_use]
    pub fn pow(self, other: impl Into<Self>) -> Self {
        self.both(Both::Power, other)
    }

    /// The smaller.
    #[must_use]
    pub fn least(self, other: impl Into<Self>) -> Self {
        self.both(Both::Least, other)
    }

    /// The greater.
    #[must_use]
    pub fn greatest(self, other: impl Into<Self>) -> Self {
        self.both(Both::Greatest, other)
    }

    /// 1 if less, else 0.
    #[must_use]
    pub fn below(self, other: impl Into<Self>) -> Self {
        self.both(Both::Less, other)
    }

    /// 1 if greater, else 0.
    #[must_use]
    pub fn above(self, other: impl Into<Self>) -> Self {
        other.into().both(Both::Less, self)
    }

    /// 1 if less or equal, else 0.
    #[must_use]
    pub fn at_most(self, other: impl Into<Self>) -> Self {
        self.both(Both::LessOrEqual, other)
    }

    /// 1 if equal, else 0.
    #[must_use]
    pub fn equals(self, other: impl Into<Self>) -> Self {
        self.both(Both::Equal, other)
    }

    /// `yes` where this is not zero (nor missing), else `no`.
    #[must_use]
    pub fn choose(self, yes: impl Into<Self>, no: impl Into<Self>) -> Self {
        Self::Choice(Box::new(self), Box::new(yes.into()), Box::new(no.into()))
    }

    /// This where `other` is there, else missing.
    #[must_use]
    pub fn where_there(self, other: Self) -> Self {
        other.clone().equals(other).choose(self, f64::NAN)
    }
}

impl From<f64> for Expression {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

macro_rules! arithmetic {
    ($($name:ident $method:ident $both:ident),*) => {$(
        impl<R: Into<Expression>> $name<R> for Expression {
            type Output = Self;
            fn $method(self, other: R) -> Self {
                self.both(Both::$both, other)
            }
        }
        impl $name<Expression> for f64 {
            type Output = Expression;
            fn $method(self, other: Expression) -> Expression {
                Expression::Number(self).both(Both::$both, other)
            }
        }
    )*};
}
arithmetic!(Add add Plus, Sub sub Minus, Mul mul Times, Div div Over);

impl Neg for Expression {
    type Output = Self;
    fn neg(self) -> Self {
        self.each(Each::Negative)
    }
}
