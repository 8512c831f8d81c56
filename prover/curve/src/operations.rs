//! The operators of points, which the library's traits want by value and by reference.

/// `left ± right`, either side by value or by reference to the right, of newtypes over points that can be added.
macro_rules! additions {
    ($left:ty, $right:ty => $point:ty) => {
        impl Add<$right> for $left {
            type Output = $point;
            fn add(self, other: $right) -> $point {
                (self.0 + other.0).into()
            }
        }
        impl<'a> Add<&'a $right> for $left {
            type Output = $point;
            fn add(self, other: &'a $right) -> $point {
                (self.0 + other.0).into()
            }
        }
        impl Sub<$right> for $left {
            type Output = $point;
            fn sub(self, other: $right) -> $point {
                (self.0 - other.0).into()
            }
        }
        impl<'a> Sub<&'a $right> for $left {
            type Output = $point;
            fn sub(self, other: &'a $right) -> $point {
                (self.0 - other.0).into()
            }
        }
    };
}

/// `left ±= right`.
macro_rules! assigned_additions {
    ($left:ty, $right:ty) => {
        impl AddAssign<$right> for $left {
            fn add_assign(&mut self, other: $right) {
                self.0 += other.0;
            }
        }
        impl<'a> AddAssign<&'a $right> for $left {
            fn add_assign(&mut self, other: &'a $right) {
                self.0 += other.0;
            }
        }
        impl SubAssign<$right> for $left {
            fn sub_assign(&mut self, other: $right) {
                self.0 -= other.0;
            }
        }
        impl<'a> SubAssign<&'a $right> for $left {
            fn sub_assign(&mut self, other: &'a $right) {
                self.0 -= other.0;
            }
        }
    };
}

/// Multiples of a point, from its [`few::sum`](crate::few::sum); and of many.
macro_rules! multiples {
    ($affine:ty, $point:ty, $scalar:ty) => {
        impl<'a> Mul<&'a $scalar> for $affine {
            type Output = $point;
            fn mul(self, scalar: &'a $scalar) -> $point {
                few::sum(&[*scalar], &[self])
            }
        }
        impl Mul<$scalar> for $affine {
            type Output = $point;
            fn mul(self, scalar: $scalar) -> $point {
                self * &scalar
            }
        }
        impl<'a> Mul<&'a $scalar> for $point {
            type Output = $point;
            fn mul(self, scalar: &'a $scalar) -> $point {
                self.affine() * scalar
            }
        }
        impl Mul<$scalar> for $point {
            type Output = $point;
            fn mul(self, scalar: $scalar) -> $point {
                self * &scalar
            }
        }
        impl<'a> MulAssign<&'a $scalar> for $point {
            fn mul_assign(&mut self, scalar: &'a $scalar) {
                *self = *self * scalar;
            }
        }
        impl MulAssign<$scalar> for $point {
            fn mul_assign(&mut self, scalar: $scalar) {
                *self *= &scalar;
            }
        }
    };
}

pub(crate) use {additions, assigned_additions, multiples};
