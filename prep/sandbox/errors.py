class MarketoError(Exception):
    """An error that Marketo reports inside a reply.

    Attributes:
        code: Its code.
            https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes
        message: Its text.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
