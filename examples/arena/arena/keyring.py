"""What is stored of other people's systems is encrypted: Fernet, the first key encrypts, all decrypt."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

__all__ = ["InvalidToken", "Keyring"]


class Keyring:
    def __init__(self, keys: list[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, value: str) -> str:
        return self._fernet.encrypt(value.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Raises InvalidToken for what no key of this keyring has encrypted."""
        return self._fernet.decrypt(encrypted.encode()).decode()

    def reads(self, encrypted: str) -> bool:
        try:
            self.decrypt(encrypted)
            return True
        except (InvalidToken, UnicodeError):
            return False
